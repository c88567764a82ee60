"""How the rubber-stamp meter tells looking from stamping."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from maos.approvals import Decision, DecisionPath
from maos.risk import RiskLevel
from maos.vigilance import Look, Vigilance, vigilance_as_markdown, vigilance_of

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
# 1,428 characters are 238 words: a minute for most people.
A_MINUTE = 1428


def _look(at: float, *, asked: float = -3600, **changes: Any) -> Look:
    fields: dict[str, Any] = {
        "person": "ann@demo.example",
        "risk": RiskLevel.HIGH,
        "decision": Decision.APPROVE,
        "via": DecisionPath.COMMAND_LINE,
        "run_id": UUID(int=int(abs(at) * 1000) + 1),
        "asked_at": NOON + timedelta(seconds=asked),
        "voted_at": NOON + timedelta(seconds=at),
        "characters": A_MINUTE,
    }
    return Look.model_validate(fields | changes)


def _only(*looks: Look) -> Vigilance:
    (found,) = vigilance_of(looks)
    return found


def test_reading_a_page_in_a_minute_is_reading() -> None:
    found = _only(*(_look(60 * n, asked=60 * (n - 1)) for n in range(1, 7)))

    assert (found.decisions, found.median_seconds, found.too_fast, found.flagged) == (6, 60, 0, False)
    assert found.words_per_minute is not None
    assert round(found.words_per_minute) == 238
    assert found.at_a_glance == 0


def test_a_queue_that_waited_for_hours_and_is_gone_in_a_minute_was_not_read() -> None:
    found = _only(*(_look(2 * n) for n in range(1, 11)))

    # The first may have been read for an hour.
    assert (found.too_fast, found.at_a_glance, found.flagged) == (9, 0.9, True)
    assert found.median_seconds > 3600


def test_a_few_quick_ones_say_nothing() -> None:
    assert not _only(*(_look(2 * n, asked=2 * n - 1) for n in range(1, 5))).flagged


def test_just_under_the_fastest_reading_is_no_flag_and_just_over_is() -> None:
    # 238 words in 47.6 seconds are 300 a minute.
    for seconds, flagged in ((47.7, False), (47.5, True)):
        looks = (_look(seconds * n, asked=seconds * (n - 1)) for n in range(1, 7))

        assert _only(*looks).flagged == flagged


def test_bulk_counts_as_bulk_and_for_no_speed() -> None:
    found = _only(*(_look(n / 100, via=DecisionPath.BULK) for n in range(50)), _look(120, asked=60))

    assert (found.decisions, found.at_once, found.too_fast, found.at_a_glance) == (51, 50, 0, 0)
    assert found.words_per_minute is not None


def test_who_decides_only_in_bulk_has_no_speed() -> None:
    found = _only(_look(1, via=DecisionPath.PLAN), _look(2, via=DecisionPath.BULK))

    assert (found.words_per_minute, found.at_a_glance, found.flagged) == (None, None, False)
    assert "ann@demo.example" in vigilance_as_markdown("demo", [found], since=NOON, until=NOON)


def test_what_one_form_decides_was_read_together() -> None:
    one_form: dict[str, Any] = {"via": DecisionPath.FORM, "run_id": UUID(int=7), "asked": 0}
    found = _only(*(_look(300 + n / 10, **one_form) for n in range(5)))

    # Five pages in five minutes, although the votes are a tenth of a second apart.
    assert (found.too_fast, found.at_a_glance) == (0, 0)


def test_forms_of_other_runs_are_read_one_after_the_other() -> None:
    form: dict[str, Any] = {"via": DecisionPath.FORM}
    found = _only(*(_look(300 + n, run_id=UUID(int=n), **form) for n in range(1, 7)))

    assert found.too_fast == 5


def test_people_and_risks_are_told_apart_and_rejections_count() -> None:
    found = vigilance_of(
        [
            _look(10, person="bob@demo.example"),
            _look(20, risk=RiskLevel.LOW),
            _look(30, decision=Decision.REJECT),
            _look(40),
        ]
    )

    assert [(each.person, each.risk, each.decisions, each.approval_rate) for each in found] == [
        ("ann@demo.example", RiskLevel.LOW, 1, 1.0),
        ("ann@demo.example", RiskLevel.HIGH, 2, 0.5),
        ("bob@demo.example", RiskLevel.HIGH, 1, 1.0),
    ]


def test_the_report_names_who_was_faster_than_reading_and_where_the_figure_is_from() -> None:
    shown = vigilance_as_markdown(
        "demo", vigilance_of([_look(2 * n) for n in range(1, 11)]), since=NOON - timedelta(days=7), until=NOON
    )

    assert shown.startswith("# How demo decided, 2026-11-16 to 2026-11-23")
    assert "**faster than reading**" in shown
    assert "Brysbaert 2019" in shown
    assert "Nobody decided anything" in vigilance_as_markdown("demo", [], since=NOON, until=NOON)
