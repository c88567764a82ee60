"""The gate: the only place where a run waits for a person."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from prefect import get_run_logger, pause_flow_run, suspend_flow_run
from prefect.input import RunInput
from prefect.runtime import deployment
from pydantic import BaseModel, Field

from maos.approvals import Approval, Decision, DecisionPath, DecisionRequest, approvals_as_markdown
from maos.errors import DecisionRefused
from maos.runs import Run
from maos.statuses import ApprovalStatus
from tasks.approvals import close_gate_round, decide
from tasks.ledger import read_ledger, reread
from tasks.runs import pause_run, wake_run

# Prefect's own time-out is only a backstop: ours is checked first, and records who and why.
_BACKSTOP = timedelta(days=1)


class FormDecision(StrEnum):
    """What the form may say; the last is what the command line sends after it decided in the ledger."""

    APPROVE = "approve"
    REJECT = "reject"
    RECORDED = "already recorded"


class ActionDecision(BaseModel):
    """The decision of one action, where it differs from the others."""

    step: str = Field(description="The step, as shown above.")
    decision: Decision


class ApprovalForm(RunInput):
    """What a reviewer answers; untrusted until `decide` accepts it."""

    decision: FormDecision = Field(description="Applies to every action above. Rejecting takes a note.")
    reviewer: str = Field(description="Your email address.")
    note: str = Field(default="", max_length=2000, description="Why; kept with the decision.")
    other_decisions: list[ActionDecision] = Field(
        default_factory=list, description="Only where several actions are shown and some are decided differently."
    )


def wait_for_decisions(run: Run, waiting: tuple[Approval, ...]) -> Run:
    """Wait until somebody answers, hand the answer to `decide`, and return the run as it stands then.

    A deployed run suspends: its process ends here, and a new one comes by again from the flow's first line.
    """
    pause_run(run)
    refusal = _submit(_ask(run, waiting), waiting)
    close_gate_round(run, refusal)
    return wake_run(reread(run.id, run.org_id))


def read_answer(run: Run) -> Run:
    """Take up a run that was waiting: its answer is read before anything else happens.

    Nothing has run since the form was shown, so what waits now is what the form has shown; read any later, the answer
    could decide an action that nobody has seen.
    """
    approvals = read_ledger(run).approvals.values()
    waiting = tuple(approval for approval in approvals if approval.status is ApprovalStatus.PENDING)
    if waiting:
        return wait_for_decisions(run, waiting)
    close_gate_round(run, None)
    return wake_run(run)


def _ask(run: Run, waiting: tuple[Approval, ...]) -> ApprovalForm:
    form = ApprovalForm.with_initial_data(description=approvals_as_markdown(waiting, refusal=run.gate_refusal))
    last = max(approval.expires_at for approval in waiting)
    timeout = int((last - datetime.now(UTC) + _BACKSTOP).total_seconds())
    key = f"gate-{run.gate_round}"
    if deployment.id:
        return suspend_flow_run(wait_for_input=form, key=key, timeout=timeout)
    return pause_flow_run(wait_for_input=form, key=key, timeout=timeout, poll_interval=1)


def _submit(answer: ApprovalForm, waiting: tuple[Approval, ...]) -> str | None:
    if answer.decision is FormDecision.RECORDED:
        return None
    refusals = []
    others = {other.step: other.decision for other in answer.other_decisions}
    for approval in waiting:
        decision = others.get(approval.step_id, Decision(answer.decision.value))
        request = DecisionRequest(
            decision=decision, reviewer=answer.reviewer.strip().lower(), note=answer.note or None, via=DecisionPath.FORM
        )
        try:
            decide(approval.id, request)
        except DecisionRefused as refused:
            get_run_logger().warning("a decision was refused: %s", refused)
            refusals.append(str(refused))
    return "; ".join(refusals) or None
