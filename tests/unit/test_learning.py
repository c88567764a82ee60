"""When past decisions speak for an exemption, and what one covers."""

from datetime import UTC, datetime
from math import isclose
from random import Random
from typing import Any
from uuid import UUID

import pytest

from maos.autonomy import AutonomyLevel
from maos.learning import (
    EXEMPTIBLE,
    Exemption,
    Likeness,
    TrackRecord,
    exempts,
    lacking,
    may_be_exempt,
    wilson_lower_bound,
)
from maos.learning_view import basis_of, proposal_as_markdown
from maos.parameter_shape import SHAPE_VERSION
from maos.risk import RiskLevel

NOW = datetime(2026, 11, 28, tzinfo=UTC)
MEDIUM = Likeness(team=None, action="update_crm", shape="name=text", risk=RiskLevel.MEDIUM)
SEMI = AutonomyLevel.SEMI_AUTONOMOUS
TWO = {"ann@demo.example": 120, "bob@demo.example": 80}


@pytest.mark.parametrize(
    ("successes", "trials", "bound"),
    [
        # R. G. Newcombe (1998): Two-sided confidence intervals for the single proportion. Statistics in Medicine 17,
        # 857-872, table I, method 3.
        (81, 263, 0.2553),
        (15, 148, 0.0624),
        (0, 20, 0.0000),
        (1, 29, 0.0061),
    ],
)
def test_the_bound_is_the_published_one(successes: int, trials: int, bound: float) -> None:
    assert round(wilson_lower_bound(successes, trials), 4) == bound


def test_the_bound_solves_the_equation_that_defines_it() -> None:
    random = Random(1927)  # noqa: S311 - reproducible cases
    for _ in range(500):
        trials = random.randint(1, 5000)
        successes = random.randint(1, trials)
        bound = wilson_lower_bound(successes, trials)

        # The proportion from which the observed share is 1.96 standard errors away.
        distance = (successes / trials - bound) / (bound * (1 - bound) / trials) ** 0.5
        assert isclose(distance, 1.959963985, rel_tol=1e-6)
        assert 0 < bound < successes / trials


def test_the_bound_rises_with_each_success_and_falls_with_each_failure() -> None:
    random = Random(2)  # noqa: S311 - reproducible cases
    for _ in range(500):
        trials = random.randint(1, 2000)
        successes = random.randint(0, trials)
        bound = wilson_lower_bound(successes, trials)

        assert wilson_lower_bound(successes + 1, trials + 1) > bound
        assert wilson_lower_bound(successes, trials + 1) < bound or successes == 0
        assert wilson_lower_bound(2 * successes, 2 * trials) > bound or successes == 0


def test_without_trials_nothing_is_known_and_nonsense_is_refused() -> None:
    assert wilson_lower_bound(0, 0) == 0.0
    for successes, trials in ((3, 2), (-1, 2)):
        with pytest.raises(ValueError, match="successes"):
            wilson_lower_bound(successes, trials)


def _record(**changes: Any) -> TrackRecord:
    return TrackRecord.model_validate({"decisions": 200, "approvals": 200, "by_person": TWO} | changes)


def test_two_hundred_approvals_by_two_people_are_just_enough() -> None:
    assert lacking(MEDIUM, _record()) == ()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"approvals": 198}, "bound 0.9643 of 0.98"),
        ({"approvals": 199}, "bound 0.9722 of 0.98"),
        ({"decisions": 199, "approvals": 199}, "199 of 200 decisions"),
        ({"by_person": {"ann@demo.example": 200}}, "1 of 2 people"),
        ({"rollbacks": 1}, "1 rolled back"),
        ({"decisions": 0, "approvals": 0, "at_once": 500, "by_person": {}}, "0 of 200 decisions"),
    ],
)
def test_anything_less_is_not_enough(changes: dict[str, Any], reason: str) -> None:
    assert reason in lacking(MEDIUM, _record(**changes))


def test_a_rejection_takes_many_more_approvals_to_outweigh() -> None:
    def enough(decisions: int) -> bool:
        return not lacking(MEDIUM, _record(decisions=decisions, approvals=decisions - 1))

    assert not enough(279)
    assert enough(280)


@pytest.mark.parametrize("risk", RiskLevel)
def test_high_and_critical_never_qualify(risk: RiskLevel) -> None:
    huge = _record(decisions=100_000, approvals=100_000)

    assert bool(lacking(MEDIUM.model_copy(update={"risk": risk}), huge)) == (risk not in EXEMPTIBLE)


def test_decisions_on_shapes_of_another_version_do_not_qualify() -> None:
    older = MEDIUM.model_copy(update={"shape_version": SHAPE_VERSION + 1})

    assert lacking(older, _record()) == (f"shapes of version {SHAPE_VERSION + 1} no longer count",)


def test_whoever_made_more_than_half_of_the_decisions_is_named_and_half_is_not_more() -> None:
    assert _record().majority == {"ann@demo.example"}
    assert _record(by_person={"ann@demo.example": 100, "bob@demo.example": 100}).majority == frozenset()


def _exemption(**changes: Any) -> Exemption:
    fields: dict[str, Any] = {
        "id": UUID(int=1),
        "org_id": UUID(int=2),
        "likeness": MEDIUM,
        "approval_id": UUID(int=3),
        "proposed_at": NOW,
        "signed_by": "owner@demo.example",
        "signed_at": NOW,
    }
    return Exemption.model_validate(fields | changes)


def test_a_signed_exemption_covers_exactly_its_likeness() -> None:
    assert exempts(_exemption(), MEDIUM, level=SEMI, always_asks=False)
    for change in (
        {"team": "sales"},
        {"action": "create_task"},
        {"shape": "name=text note=text"},
        {"risk": RiskLevel.LOW},
        {"risk": RiskLevel.HIGH},
        {"shape_version": SHAPE_VERSION + 1},
    ):
        other = MEDIUM.model_copy(update=change)

        assert not exempts(_exemption(), other, level=SEMI, always_asks=False), change


@pytest.mark.parametrize(
    "changes",
    [{"signed_at": None, "signed_by": None}, {"withdrawn_at": NOW, "withdrawn_reason": "a rejection"}],
)
def test_one_that_is_not_signed_or_was_withdrawn_covers_nothing(changes: dict[str, Any]) -> None:
    assert not exempts(_exemption(**changes), MEDIUM, level=SEMI, always_asks=False)


@pytest.mark.parametrize("level", AutonomyLevel)
@pytest.mark.parametrize("risk", RiskLevel)
@pytest.mark.parametrize("always_asks", [True, False])
def test_only_semi_autonomous_runs_use_exemptions_and_never_where_a_person_is_demanded(
    level: AutonomyLevel, risk: RiskLevel, always_asks: bool
) -> None:
    wanted = level is SEMI and risk in {RiskLevel.LOW, RiskLevel.MEDIUM} and not always_asks

    assert may_be_exempt(risk, level=level, always_asks=always_asks) == wanted
    own = MEDIUM.model_copy(update={"risk": risk})
    assert exempts(_exemption(likeness=own), own, level=level, always_asks=always_asks) == wanted


def test_an_exemption_of_another_version_of_shapes_covers_nothing() -> None:
    other = MEDIUM.model_copy(update={"shape_version": SHAPE_VERSION + 1})

    assert not exempts(_exemption(likeness=other), other, level=SEMI, always_asks=False)


def test_whoever_signs_reads_the_numbers_and_who_may_not() -> None:
    shown = proposal_as_markdown(MEDIUM, _record(at_once=7))

    for words in ("`update_crm`", "`name=text`", "200 of 200", "0.9812", "7 more", "`ann@demo.example` | 120 | 60%"):
        assert words in shown
    assert "**`ann@demo.example` made more than half of these decisions** and may not sign." in shown
    assert basis_of(_record())["bound"] == "0.981155"
