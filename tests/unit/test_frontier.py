from collections.abc import Set

import pytest

from maos.approvals import ApprovalKind
from maos.autonomy import AutonomyLevel
from maos.failures import FailureKind
from maos.frontier import Move, has_failed, is_guarded, level_in, may_wait, next_move
from maos.plans import PlanStep
from maos.policy import Policy, TeamPolicy
from maos.risk import RiskLevel, RiskRule
from maos.runs import FailedStep, Ledger, Run
from maos.statuses import ApprovalStatus, RunStatus
from maos.top_ups import OUT_OF_BUDGET
from tests.runs import ACTIONS, DONE, NOW, approval, failure, run_of, step


def _move(
    run: Run,
    *,
    done: Set[str] = frozenset(),
    busy: Set[str] = frozenset(),
    failed: dict[str, FailedStep] | None = None,
    skipped: dict[str, str] | None = None,
    in_doubt: Set[str] = frozenset(),
    **approvals: ApprovalStatus,
) -> Move:
    ledger = Ledger(
        finished=dict.fromkeys(done, DONE),
        failed=failed or {},
        skipped=skipped or {},
        in_doubt=frozenset(in_doubt),
        approvals={step: approval(step, status) for step, status in approvals.items()},
    )
    return next_move(run, ledger, ACTIONS, busy=busy)


FORK = run_of(step("a"), step("b"), step("gate", "high", ("a",)), step("c", "low", ("b",)))


def _ids(steps: tuple[PlanStep, ...]) -> list[str]:
    return [step.id for step in steps]


def test_everything_that_is_ready_starts_at_once() -> None:
    assert _ids(_move(FORK).start) == ["a", "b"]


def test_no_more_steps_are_under_way_than_the_plan_allows() -> None:
    run = run_of(step("a"), step("b"), step("c"), step("d"), parallelism=2)

    assert _ids(_move(run).start) == ["a", "b"]
    assert _ids(_move(run, busy={"a"}).start) == ["b"]
    assert _move(run, busy={"a", "b"}) == Move()
    assert _ids(_move(run, done={"a"}, busy={"b"}).start) == ["c"]


def test_a_gate_takes_no_room_of_the_steps_under_way() -> None:
    run = run_of(step("a"), step("gate", "high"), parallelism=1)

    assert _ids(_move(run, busy={"a"}).open_gates) == ["gate"]


def test_steps_start_in_the_order_of_the_plan_wherever_their_dependencies_stand() -> None:
    run = run_of(step("c", "low", ("a",)), step("b"), step("a"))

    assert _ids(_move(run).start) == ["b", "a"]
    assert _ids(_move(run, done={"a"}).start) == ["c", "b"]


def test_a_risky_step_opens_a_gate_while_other_branches_go_on() -> None:
    move = _move(FORK, done={"a", "b"})

    assert _ids(move.open_gates) == ["gate"]
    assert _ids(move.start) == ["c"]


def test_a_run_does_not_wait_for_a_person_while_something_is_under_way() -> None:
    assert _move(FORK, done={"a", "b"}, busy={"c"}, gate=ApprovalStatus.PENDING) == Move()


def test_a_run_waits_when_nothing_else_can_run() -> None:
    move = _move(FORK, done={"a", "b", "c"}, gate=ApprovalStatus.PENDING)

    assert [approval.step_id for approval in move.wait_for] == ["gate"]


def test_an_approved_step_starts() -> None:
    assert _ids(_move(FORK, done={"a", "b", "c"}, gate=ApprovalStatus.APPROVED).start) == ["gate"]


def test_a_void_approval_is_asked_anew() -> None:
    assert _ids(_move(FORK, done={"a", "b", "c"}, gate=ApprovalStatus.CANCELLED).open_gates) == ["gate"]


REFUSALS = [
    (ApprovalStatus.REJECTED, "step 'gate' was rejected by reviewer@demo.example: too early"),
    (ApprovalStatus.EXPIRED, "the approval of step 'gate' expired undecided"),
]


@pytest.mark.parametrize(("status", "reason"), REFUSALS)
def test_a_refused_step_ends_the_run(status: ApprovalStatus, reason: str) -> None:
    move = _move(FORK, done={"a", "b", "c"}, gate=status)

    assert move == Move(end=RunStatus.CANCELLED, reason=reason)


def test_a_refusal_lets_what_is_under_way_land_and_starts_nothing() -> None:
    assert _move(FORK, done={"a"}, busy={"b"}, gate=ApprovalStatus.REJECTED) == Move()


@pytest.mark.parametrize(("status", "reason"), REFUSALS)
def test_a_refused_step_may_be_skipped_with_what_depends_on_it(status: ApprovalStatus, reason: str) -> None:
    run = run_of(step("last", "low", ("next",)), step("next", "low", ("gate",)), step("gate", "high", on_reject="skip"))

    move = _move(run, gate=status)

    assert move == Move(skip={"gate": reason, "next": "it needs step 'gate'", "last": "it needs step 'next'"})


def test_a_rejection_without_a_note_names_only_who_rejected() -> None:
    refused = approval("gate", ApprovalStatus.REJECTED, note=None)

    move = next_move(run_of(step("gate", "high")), Ledger(approvals={"gate": refused}), ACTIONS, busy=set())

    assert move.reason == "step 'gate' was rejected by reviewer@demo.example"


def test_a_step_that_is_done_is_not_refused_any_more() -> None:
    run = run_of(step("gate", "high"))

    assert _move(run, done={"gate"}, gate=ApprovalStatus.EXPIRED).end is RunStatus.COMPLETED


def test_a_failed_step_ends_the_run_once_nothing_is_under_way() -> None:
    assert _move(FORK, done={"a"}, busy={"c"}, failed={"b": failure()}) == Move()
    assert _move(FORK, done={"a"}, failed={"b": failure()}) == Move(
        end=RunStatus.FAILED, reason="step 'b' failed: disk full"
    )


def test_a_failure_counts_for_more_than_a_refusal() -> None:
    move = _move(FORK, done={"a"}, failed={"b": failure()}, gate=ApprovalStatus.REJECTED)

    assert move.end is RunStatus.FAILED


@pytest.mark.parametrize(
    ("kind", "tries", "for_good"),
    [
        (FailureKind.RATE_LIMITED, 1, False),
        (FailureKind.RATE_LIMITED, 2, False),
        (FailureKind.RATE_LIMITED, 3, True),
        (FailureKind.INTERRUPTED, 2, False),
        (FailureKind.DECLINED, 1, True),
        (FailureKind.BUDGET, 1, True),
        (FailureKind.SERVICE_ERROR, 1, True),
    ],
)
def test_a_step_has_failed_when_trying_again_does_not_help_or_was_done_often_enough(
    kind: FailureKind, tries: int, for_good: bool
) -> None:
    assert has_failed(step("a", retry={"attempts": 3}), failure(kind, tries=tries)) is for_good


def test_a_step_with_tries_left_is_started_again() -> None:
    assert _ids(_move(run_of(step("a")), failed={"a": failure(FailureKind.TIMED_OUT, tries=2)}).start) == ["a"]


def test_the_reason_says_how_often_a_step_was_tried() -> None:
    move = _move(run_of(step("a")), failed={"a": failure(FailureKind.TIMED_OUT, tries=3)})

    assert move.reason == "step 'a' failed after 3 tries: disk full"


def test_what_depends_on_a_step_whose_failure_skips_is_skipped() -> None:
    run = run_of(step("a", on_failure="skip"), step("b", "low", ("a",)), step("c", "low", ("b",)), step("d"))

    move = _move(run, failed={"a": failure()})

    assert move == Move(skip={"b": "it needs step 'a'", "c": "it needs step 'b'"})


def test_the_other_branches_go_on_after_a_skip() -> None:
    run = run_of(step("a", on_failure="skip"), step("b", "low", ("a",)), step("d"))

    move = _move(run, failed={"a": failure()}, skipped={"b": "it needs step 'a'"})

    assert _ids(move.start) == ["d"]


def test_what_comes_to_depend_on_a_skipped_step_is_skipped_too() -> None:
    run = run_of(step("a"), step("b", "low", ("a",)))

    assert _move(run, skipped={"a": "it needs step 'z'"}).skip == {"b": "it needs step 'a'"}


def test_what_depends_on_a_step_whose_failure_is_passed_over_starts() -> None:
    run = run_of(step("a", on_failure="continue"), step("b", "low", ("a",)))

    assert _ids(_move(run, failed={"a": failure()}).start) == ["b"]


def test_nobody_goes_on_without_a_step_that_has_tries_left() -> None:
    run = run_of(step("a", on_failure="continue"), step("b", "low", ("a",)))

    assert _move(run, busy={"a"}, failed={"a": failure(FailureKind.TIMED_OUT)}) == Move()


@pytest.mark.parametrize("policy", ["fail", "skip", "continue"])
def test_what_goes_wrong_after_the_outcome_is_written_fails_nothing(policy: str) -> None:
    run = run_of(step("a", on_failure=policy), step("b", "low", ("a",)))

    assert _ids(_move(run, done={"a"}, failed={"a": failure()}).start) == ["b"]
    assert _move(run, done={"a", "b"}, failed={"a": failure()}) == Move(end=RunStatus.COMPLETED)


def test_a_run_is_completed_when_every_step_is() -> None:
    assert _move(FORK, done={"a", "b", "c", "gate"}) == Move(end=RunStatus.COMPLETED)


def test_a_run_is_completed_when_it_has_brought_forth_any_result_and_says_what_is_missing() -> None:
    run = run_of(step("a", on_failure="skip"), step("b", "low", ("a",)), step("c"))

    move = _move(run, done={"c"}, failed={"a": failure()}, skipped={"b": "it needs step 'a'"})

    assert move == Move(
        end=RunStatus.COMPLETED, reason="step 'a' failed: disk full; step 'b' was skipped: it needs step 'a'"
    )


def test_a_run_without_a_result_has_failed_when_a_step_has() -> None:
    run = run_of(step("a", on_failure="skip"), step("b", "low", ("a",)))

    assert _move(run, failed={"a": failure()}, skipped={"b": "it needs step 'a'"}).end is RunStatus.FAILED


def test_a_run_without_a_result_is_cancelled_when_people_refused_it() -> None:
    run = run_of(step("gate", "high", on_reject="skip"))

    move = _move(run, skipped={"gate": "step 'gate' was rejected by a"}, gate=ApprovalStatus.REJECTED)

    assert move == Move(end=RunStatus.CANCELLED, reason="step 'gate' was skipped: step 'gate' was rejected by a")


def test_a_held_run_starts_nothing_and_rests_once_nothing_is_under_way() -> None:
    run = run_of(step("a"), step("b"), step("gate", "high"), held_by="ops@demo.example")

    assert _move(run, busy={"a"}) == Move(hold=False)
    assert _move(run) == Move(hold=True)


def test_a_held_run_still_ends_by_a_failure() -> None:
    run = run_of(step("a"), held_by="ops@demo.example")

    assert _move(run, failed={"a": failure()}).end is RunStatus.FAILED


def _doubtful(kind: ApprovalKind, status: ApprovalStatus, *, consumed: bool = False) -> Move:
    given = approval("a", status, kind=kind, consumed_at=NOW if consumed else None)
    ledger = Ledger(in_doubt=frozenset({"a"}), approvals={"a": given})
    return next_move(run_of(step("a")), ledger, ACTIONS, busy=set())


def test_a_step_in_doubt_asks_a_person_whatever_its_risk() -> None:
    assert _ids(_move(run_of(step("a", "low")), in_doubt={"a"}).open_gates) == ["a"]


@pytest.mark.parametrize("status", [ApprovalStatus.APPROVED, ApprovalStatus.CANCELLED])
def test_what_was_said_before_a_doubt_says_nothing_about_it(status: ApprovalStatus) -> None:
    assert _ids(_doubtful(ApprovalKind.ACTION, status).open_gates) == ["a"]


def test_a_decision_on_a_doubt_counts_once() -> None:
    assert _ids(_doubtful(ApprovalKind.IN_DOUBT, ApprovalStatus.APPROVED).start) == ["a"]
    assert _ids(_doubtful(ApprovalKind.IN_DOUBT, ApprovalStatus.APPROVED, consumed=True).open_gates) == ["a"]


def test_a_run_waits_for_a_decision_on_a_doubt() -> None:
    assert [each.step_id for each in _doubtful(ApprovalKind.IN_DOUBT, ApprovalStatus.PENDING).wait_for] == ["a"]


def test_a_rejected_doubt_is_a_rejected_step() -> None:
    assert _doubtful(ApprovalKind.IN_DOUBT, ApprovalStatus.REJECTED).end is RunStatus.CANCELLED


def _short(run: Run, short: Set[str], *, busy: Set[str] = frozenset(), done: Set[str] = frozenset()) -> Move:
    asked = approval(OUT_OF_BUDGET, ApprovalStatus.PENDING, kind=ApprovalKind.BUDGET)
    ledger = Ledger(finished=dict.fromkeys(done, DONE), approvals={OUT_OF_BUDGET: asked})
    return next_move(run, ledger, ACTIONS, busy=busy, short=short)


def test_beside_a_step_that_is_out_of_budget_everything_else_goes_on() -> None:
    run = run_of(step("a"), step("b"), step("c", "low", ("a",)))

    assert _ids(_short(run, {"a"}).start) == ["b"]
    assert _short(run, {"a"}, busy={"b"}) == Move()


def test_when_nothing_else_can_run_the_run_waits_for_one_top_up_whatever_it_is_short_of() -> None:
    run = run_of(step("a"), step("b"), step("c", "low", ("a",)))

    assert [each.step_id for each in _short(run, {"a", "b"}).wait_for] == [OUT_OF_BUDGET]


def test_under_supervision_even_a_low_risk_step_is_asked_for() -> None:
    run = run_of(step("a"), autonomy=AutonomyLevel.SUPERVISED)

    assert _ids(_move(run).open_gates) == ["a"]


def test_an_autonomous_run_still_asks_for_what_is_critical() -> None:
    run = run_of(step("a", "high"), step("b", "critical"), autonomy=AutonomyLevel.AUTONOMOUS)
    move = _move(run)

    assert _ids(move.start) == ["a"]
    assert _ids(move.open_gates) == ["b"]


@pytest.mark.parametrize("level", AutonomyLevel)
def test_an_action_that_always_asks_does_so_at_every_level(level: AutonomyLevel) -> None:
    spec = ACTIONS["low"].model_copy(update={"always_asks": True})

    assert is_guarded(run_of(step("a"), autonomy=level), spec)


@pytest.mark.parametrize("status", [ApprovalStatus.PENDING, ApprovalStatus.CANCELLED, ApprovalStatus.APPROVED])
def test_what_was_asked_stays_asked_although_its_declared_risk_would_run(status: ApprovalStatus) -> None:
    run = run_of(step("a"))
    ledger = Ledger(approvals={"a": approval("a", status)})

    move = next_move(run, ledger, ACTIONS, busy=set())

    assert bool(move.start) is (status is ApprovalStatus.APPROVED)
    assert bool(move.wait_for) is (status is ApprovalStatus.PENDING)
    assert bool(move.open_gates) is (status is ApprovalStatus.CANCELLED)


def test_a_step_whose_action_nobody_knows_asks_in_every_run() -> None:
    run = run_of(step("a", "gone"), autonomy=AutonomyLevel.AUTONOMOUS)

    assert next_move(run, Ledger(), ACTIONS, busy=set()).open_gates == run.plan.steps


@pytest.mark.parametrize(("risk", "asked"), [(None, False), (RiskLevel.HIGH, False), (RiskLevel.CRITICAL, True)])
def test_a_raised_risk_decides_who_waits(risk: RiskLevel | None, asked: bool) -> None:
    assert is_guarded(run_of(step("a"), autonomy=AutonomyLevel.AUTONOMOUS), ACTIONS["low"], risk=risk) is asked


def test_a_raised_risk_ends_the_exemption_of_what_only_reads() -> None:
    run = run_of(step("a"), autonomy=AutonomyLevel.SUPERVISED).model_copy(update={"read_only_exempt": True})
    look = ACTIONS["low"].model_copy(update={"read_only": True})

    assert not is_guarded(run, look)
    assert is_guarded(run, look, risk=RiskLevel.MEDIUM)


def test_only_what_its_parameters_or_a_stricter_policy_could_stop_is_looked_at_first() -> None:
    run, ledger, low = run_of(step("a")), Ledger(), ACTIONS["low"]
    named = Policy(risk_rules=(RiskRule(raise_to=RiskLevel.HIGH, actions=frozenset({"low"})),))

    assert not may_wait(run, ledger, run.plan.steps[0], low, Policy())
    assert may_wait(run, ledger, run.plan.steps[0], low, named)
    assert may_wait(run, ledger, run.plan.steps[0], low, Policy(autonomy=AutonomyLevel.SUPERVISED))
    approved = Ledger(approvals={"a": approval("a", ApprovalStatus.APPROVED)})
    assert not may_wait(run, approved, run.plan.steps[0], low, named)


def test_a_team_and_a_policy_make_a_run_stricter_and_never_freer() -> None:
    run = run_of(step("a"), autonomy=AutonomyLevel.SEMI_AUTONOMOUS).model_copy(update={"team": "billing"})
    policy = Policy(autonomy=AutonomyLevel.AUTONOMOUS, teams={"billing": TeamPolicy(autonomy=AutonomyLevel.SUPERVISED)})

    assert level_in(run, policy) is AutonomyLevel.SUPERVISED
    assert level_in(run.model_copy(update={"team": None}), policy) is AutonomyLevel.SEMI_AUTONOMOUS
    assert level_in(run, Policy(autonomy=AutonomyLevel.AUTONOMOUS)) is AutonomyLevel.SEMI_AUTONOMOUS
