"""What is agreed with an organisation on prices: who may set it, what it changes, and what it never touches."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from console.prices import prices
from maos.errors import BadInput
from maos.images import IMAGE_MODEL
from maos.price_overrides import PriceOverride, TokenClass
from sql import price_overrides
from sql.organizations import ensure_organization
from sql.session import org_session, system_session
from tasks.tariffs import tariff_of
from tests.gates import rows
from tests.past_calls import BEGUN, add_call
from tests.rows import add_run

OWNER = "owner@demo.example"
SONNET = "claude-sonnet-5-5"
# 12 tokens at 0.50, 80 at 3 and 1,120 at 60 USD a million.
IMAGE_USAGE = {
    "promptTokenCount": 12,
    "candidatesTokenCount": 1120,
    "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1120}],
    "thoughtsTokenCount": 80,
}


def _set(*options: str, org: str = "demo", person: str = OWNER) -> None:
    done = CliRunner().invoke(prices, ["set", "--org", org, "--as", person, *options], catch_exceptions=False)
    assert done.exit_code == 0, done.output


def _json(*arguments: str) -> dict[str, Any]:
    done = CliRunner().invoke(prices, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.output)
    return found


def _agree(org_id: UUID, since: datetime, model: str = "*", *, markup: str = "0", **rates: str) -> UUID:
    """Write what was agreed in the past, as it would have been written then."""
    override = PriceOverride(
        id=uuid4(),
        model=model,
        rates={TokenClass(name): Decimal(rate) for name, rate in rates.items()},
        markup_percent=Decimal(markup),
        effective_from=since,
        set_by=OWNER,
        set_at=since - timedelta(days=1),
    )
    with org_session(org_id) as session:
        price_overrides.add_override(override, org_id=org_id, session=session)
    return override.id


def test_an_owner_sets_prices_and_they_are_shown_as_they_are_charged(org_id: UUID) -> None:
    _set("--model", "sonnet", "--rate", "input=1.80", "--markup", "10")

    ((agreed_id, model, rates, markup, set_by),) = rows(
        "SELECT id, model, rates, markup_percent, set_by FROM price_overrides"
    )
    assert (model, rates, markup, set_by) == (SONNET, {"input": "1.80"}, 10, OWNER)
    shown = _json("show", "sonnet", "--org", "demo")
    assert {row["token_class"]: row["usd_per_million"] for row in shown["prices"]} == {
        "input": "1.8",
        "cache_read": "0.11",
        "cache_write_5m": "2.75",
        "cache_write_1h": "4.4",
        "output": "11",
    }
    (override,) = shown["overrides"]
    assert (override["id"], override["rates"], override["markup_percent"]) == (str(agreed_id), "input=1.8", "10")
    assert "overrides" not in _json("show", "sonnet")
    assert tariff_of(org_id).in_force(SONNET) is not None


def test_an_agreement_ends_when_another_takes_its_place(org_id: UUID) -> None:
    _set("--model", "*", "--markup", "20")
    _set("--model", "*", "--markup", "0")

    override = tariff_of(org_id).in_force(SONNET)
    assert override is not None
    assert override.markup_percent == 0
    assert rows("SELECT count(*) FROM price_overrides") == [(2,)]


def test_what_starts_later_does_not_count_yet(org_id: UUID) -> None:
    _set("--model", "*", "--markup", "20", "--from", "2099-01-01")

    assert tariff_of(org_id).in_force(SONNET) is None
    assert tariff_of(org_id, datetime(2099, 1, 1, tzinfo=UTC)).in_force(SONNET) is not None


@pytest.mark.parametrize("person", ["author@demo.example", "reviewer@demo.example", "nobody@demo.example"])
def test_nobody_but_an_owner_sets_prices(org_id: UUID, person: str) -> None:  # noqa: ARG001
    with pytest.raises(BadInput, match="role owner"):
        _set("--model", "*", "--markup", "-100", person=person)

    assert rows("SELECT count(*) FROM price_overrides") == [(0,)]


def test_an_owner_of_one_organisation_sets_no_prices_of_another(org_id: UUID) -> None:  # noqa: ARG001
    with system_session() as session:
        ensure_organization("other", "Other", session=session)

    with pytest.raises(BadInput, match="role owner"):
        _set("--model", "*", "--markup", "-100", org="other")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (("--model", "gpt-5", "--markup", "1"), "model"),
        (("--model", "sonnet"), "rate"),
        (("--model", "*", "--rate", "input"), "rate"),
        (("--model", "*", "--rate", "input=1", "--rate", "input=2"), "rate"),
        (("--model", "*", "--rate", "tokens=1"), "rate"),
        (("--model", "*", "--rate", "input=-1"), "rate input"),
        (("--model", "*", "--markup", "much"), "markup"),
        (("--model", "*", "--markup", "1", "--from", "2026-01-01"), "from"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(
    org_id: UUID,  # noqa: ARG001
    options: tuple[str, ...],
    field: str,
) -> None:
    with pytest.raises(BadInput) as refused:
        _set(*options)

    assert refused.value.field == field
    assert rows("SELECT count(*) FROM price_overrides") == [(0,)]


def test_an_organisation_sees_no_prices_but_its_own(org_id: UUID) -> None:
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)
    _agree(org_id, BEGUN, markup="20")

    with org_session(other) as session:
        assert price_overrides.all_overrides(session=session) == {}
    assert tariff_of(other, BEGUN).in_force(SONNET) is None


@pytest.mark.parametrize("change", ["UPDATE price_overrides SET markup_percent = 0", "DELETE FROM price_overrides"])
def test_history_of_prices_cannot_be_rewritten(org_id: UUID, change: str) -> None:
    _agree(org_id, BEGUN, markup="20")

    with pytest.raises(ProgrammingError, match="permission denied"), org_session(org_id) as session:
        session.execute(text(change))


def test_the_database_itself_refuses_what_begins_in_the_past(org_id: UUID) -> None:
    with pytest.raises(IntegrityError, match="price_overrides_check"), org_session(org_id) as session:
        session.execute(
            text(
                "INSERT INTO price_overrides (org_id, model, rates, markup_percent, effective_from, set_by, set_at) "
                f"VALUES ('{org_id}', '*', '{{}}', -100, now() - interval '1 second', 'me', now())"
            )
        )


def test_past_calls_are_recomputed_by_what_was_agreed_at_their_time(org_id: UUID) -> None:
    run_id = add_run(org_id, rehearsal=False)
    agreed = _agree(org_id, BEGUN, markup="20")
    _agree(org_id, BEGUN + timedelta(days=2), markup="50")
    for day in (-1, 0, 1, 2):
        add_call(org_id, run_id, "0.003", step=f"day{day}", started_at=BEGUN + timedelta(days=day))

    found = _json("recompute", "--apply")

    costs = {call["step_id"]: call["now_usd"] for call in found["calls"]}
    assert costs == {"day0": "0.0036", "day1": "0.0036", "day2": "0.0045"}
    listed = {call["step_id"]: call["price_list"] for call in found["calls"]}
    assert listed["day0"].endswith(f"; override {agreed}")
    assert rows("SELECT count(*) FROM usage_entries WHERE kind = 'correct' AND price_list LIKE '%; override %'") == [
        (3,)
    ]
    assert _json("recompute", "--apply")["written"]["entries"] == 0


def test_prices_of_one_organisation_correct_no_calls_of_another(org_id: UUID) -> None:
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)
    _agree(org_id, BEGUN, markup="20")
    add_call(other, add_run(other, rehearsal=False), "0.003")

    assert _json("recompute")["calls"] == []


def test_images_are_recomputed_too(org_id: UUID) -> None:
    run_id = add_run(org_id, rehearsal=False)
    _agree(org_id, BEGUN, IMAGE_MODEL, image="30")
    drawn: dict[str, Any] = {
        "engine_type": "gemini_image",
        "detail": {"model": IMAGE_MODEL, "raw_usage": IMAGE_USAGE, "price_snapshot": "an older list"},
    }
    add_call(org_id, run_id, "0.067446", step="before", started_at=BEGUN - timedelta(days=1), **drawn)
    add_call(org_id, run_id, "0.067446", step="after", **drawn)

    found = _json("recompute", "--apply")

    # 1,120 tokens at 30 instead of 60 USD a million.
    assert [(call["step_id"], call["now_usd"]) for call in found["calls"]] == [("after", "0.033846")]


def test_people_read_what_was_agreed(org_id: UUID) -> None:
    _agree(org_id, BEGUN, "claude-*", markup="20", output="9")

    shown = CliRunner().invoke(prices, ["show", "haiku", "--org", "demo"], catch_exceptions=False).output

    assert [word for word in ("for demo", "agreed with demo", "claude-*", "output=9", OWNER) if word not in shown] == []
