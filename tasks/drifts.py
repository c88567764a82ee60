"""The decision on a run that wakes up under other code or rules: asked, read, carried out."""

from maos.approvals import WHOLE_RUN, Approval, ApprovalKind, VersionChoice
from maos.canonical import digest_of
from maos.drift import Drift, drift_as_markdown, rebuilt_plan
from maos.engines import EngineType
from maos.risk import RiskLevel
from maos.runs import Ledger, Run
from maos.statuses import ApprovalStatus
from sql import approvals
from sql.plan_revisions import Origin
from tasks.gates import Question, approval_row, write_gate
from tasks.leases import run_session
from tasks.ledger import reread
from tasks.outages import outlasting
from tasks.pinning import pin, pins_of
from tasks.revisions import revise
from tasks.rules import rule_book


def decision_on(drift: Drift, run: Run, ledger: Ledger) -> Approval | None:
    """Return the newest decision on exactly this difference, or None where nobody was asked about it."""
    newest = ledger.approvals.get(WHOLE_RUN)
    covers = newest is not None and newest.digest == digest_of(_payload(drift, run)) and not newest.consumed_at
    return newest if covers and newest and newest.status is not ApprovalStatus.CANCELLED else None


def ask_about(drift: Drift, run: Run, ledger: Ledger) -> None:
    """Ask a person how the run goes on; an open question about an earlier difference is withdrawn."""
    newest = ledger.approvals.get(WHOLE_RUN)
    if newest and newest.status is ApprovalStatus.PENDING:
        _withdraw(run)
    question = Question(
        step_id=WHOLE_RUN,
        action="go_on",
        engine=EngineType.INTERNAL_SERVICE,
        title="The run wakes up under other code or rules: how does it go on?",
        preview=drift_as_markdown(drift),
        payload=_payload(drift, run),
        risk=RiskLevel.MEDIUM,
        kind=ApprovalKind.NEEDS_DECISION,
    )
    write_gate(run, approval_row(run, question))


@outlasting
def _withdraw(run: Run) -> None:
    with run_session(run) as session:
        approvals.cancel_pending(run.id, "the code or the rules have changed again", session=session)


def carry_out(drift: Drift, run: Run, ledger: Ledger, decision: Approval) -> None:
    """Go on as decided: with the plan as it is, or with one made anew for what is not done."""
    if decision.choice == VersionChoice.REBUILD and drift.rebuilt:
        _rebuild(run, drift, ledger, decision)
    pin(reread(run.id, run.org_id, run.epoch))
    _consume(run, decision)


@outlasting
def _rebuild(run: Run, drift: Drift, ledger: Ledger, decision: Approval) -> None:
    if drift.rebuilt is None:
        return
    plan = rebuilt_plan(run.plan, drift.rebuilt, ledger.finished.keys())
    origin = Origin(f"rebuilt under other code or rules, as {decision.decided_by} decided")
    with run_session(run) as session:
        revise(run, plan, origin, actor=decision.decided_by or "maos", session=session)


@outlasting
def _consume(run: Run, decision: Approval) -> None:
    with run_session(run) as session:
        approvals.consume(decision.id, decision.digest, session=session)


def _payload(drift: Drift, run: Run) -> dict[str, object]:
    return {
        "pinned": dict(run.pins),
        "now": pins_of(run.plan, rule_book(run.org_id)),
        "plan_digest": run.plan.digest,
        "rebuilt_plan_digest": drift.rebuilt.digest if drift.rebuilt else None,
        "changed": [*drift.changed, *drift.steps],
        "choices": [VersionChoice.PINNED.value, *([VersionChoice.REBUILD.value] if drift.rebuilt else [])],
    }
