"""A past call is priced anew only where its usage is the last word and its model has a price."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from maos.corrections import Finding, PastCall, Recosted, recosted
from maos.engines import EngineType
from maos.failures import FailureKind
from maos.statuses import InvocationStatus
from maos.tariffs import Tariff
from maos.usage import TokenUsage

SOME = UUID(int=1)
USAGE = TokenUsage(input_tokens=1000, output_tokens=100)
CUT: dict[str, object] = {"status": InvocationStatus.FAILED, "price_snapshot": None}


def _call(**changes: object) -> PastCall:
    fields: dict[str, object] = {
        "invocation_id": SOME,
        "org_id": SOME,
        "org": "demo",
        "run_id": SOME,
        "step_id": "act",
        "attempt": 1,
        "engine": EngineType.CLAUDE_CLI,
        "started_at": datetime(2026, 11, 1, tzinfo=UTC),
        "status": InvocationStatus.COMPLETED,
        "error_kind": None,
        "model": "claude-sonnet-5-5",
        "raw_usage": {},
        "price_snapshot": "an older list",
        "settled_usd": Decimal("0.005"),
        "corrected_usd": Decimal(0),
    }
    return PastCall.model_validate(fields | changes)


def _recosted(call: PastCall, usage: TokenUsage | None) -> Recosted:
    return recosted(call, usage, Tariff(at=call.started_at))


@pytest.mark.parametrize(
    ("settled", "corrected", "finding", "difference"),
    [
        ("0.003", "0", Finding.SAME, "0"),
        ("0.005", "-0.002", Finding.SAME, "0"),
        ("0.005", "0", Finding.DIFFERS, "-0.002"),
        ("0.001", "0", Finding.DIFFERS, "0.002"),
        ("0.005", "-0.003", Finding.DIFFERS, "0.001"),
    ],
)
def test_what_was_counted_is_compared_with_the_price_of_now(
    settled: str, corrected: str, finding: Finding, difference: str
) -> None:
    found = _recosted(_call(settled_usd=Decimal(settled), corrected_usd=Decimal(corrected)), USAGE)

    assert (found.finding, found.difference_usd) == (finding, Decimal(difference))
    assert found.now_usd == Decimal("0.003")


def test_prices_are_those_of_the_time_of_the_call() -> None:
    usage = TokenUsage(input_tokens=300_000)
    dates = [datetime(2026, 3, day, 12, tzinfo=UTC) for day in (12, 13)]

    costs = [_recosted(_call(model="claude-opus-4-6", started_at=at), usage).now_usd for at in dates]

    assert costs == [Decimal(3), Decimal("1.5")]


@pytest.mark.parametrize(
    ("changes", "usage", "finding"),
    [
        ({"model": "claude-sonnet-9"}, USAGE, Finding.UNPRICED),
        ({"model": None}, USAGE, Finding.UNPRICED),
        ({}, None, Finding.NO_USAGE),
        ({}, TokenUsage(), Finding.NO_USAGE),
        (CUT | {"error_kind": FailureKind.INTERRUPTED}, USAGE, Finding.CUT_SHORT),
        (CUT | {"error_kind": FailureKind.OVERLOADED}, USAGE, Finding.CUT_SHORT),
        (CUT | {"error_kind": FailureKind.TIMED_OUT}, USAGE, Finding.CUT_SHORT),
    ],
)
def test_what_is_not_known_better_stays(changes: dict[str, object], usage: TokenUsage | None, finding: Finding) -> None:
    found = _recosted(_call(**changes), usage)

    assert (found.finding, found.now_usd, found.difference_usd) == (finding, None, 0)


@pytest.mark.parametrize("kind", [FailureKind.DECLINED, FailureKind.TRUNCATED, FailureKind.UNUSABLE_OUTPUT])
def test_a_whole_answer_that_counted_at_its_ceiling_is_priced_once_its_model_has_a_price(kind: FailureKind) -> None:
    assert _recosted(_call(**CUT, error_kind=kind), USAGE).finding is Finding.DIFFERS
    assert _recosted(_call(price_snapshot=None), USAGE).finding is Finding.DIFFERS
