"""The gate: the only place where a run waits for a person."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from prefect import get_run_logger, pause_flow_run, suspend_flow_run
from prefect.input import RunInput
from prefect.runtime import deployment
from pydantic import BaseModel, Field, ValidationError

from maos.approval_view import approvals_as_markdown, hold_as_markdown
from maos.approvals import Approval, Decision, DecisionPath, DecisionRequest
from maos.errors import BadInput, DecisionRefused
from maos.runs import GateKind, Run
from tasks.approvals import close_gate_round, decide
from tasks.holds import release_run
from tasks.ledger import reread, survey
from tasks.runs import pause_run, wake_run

# Prefect's own time-out is only a backstop: ours is checked first, and records who and why.
_BACKSTOP = timedelta(days=1)
_LONGEST_HOLD = timedelta(days=365)


class FormDecision(StrEnum):
    """What the form may say; the last is what the command line sends after it decided in the ledger."""

    APPROVE = "approve"
    REJECT = "reject"
    RECORDED = "already recorded"


class FormChoice(StrEnum):
    """What is chosen by approving an action that offers choices."""

    NONE = "none"
    AGAIN = "again"
    DONE = "done"
    PINNED = "pinned"
    REBUILD = "rebuild"


class ActionDecision(BaseModel):
    """The decision of one action, where it differs from the others."""

    step: str = Field(description="The step, as shown above.")
    decision: Decision
    choice: FormChoice = FormChoice.NONE


class ApprovalForm(RunInput):
    """What a reviewer answers; untrusted until `decide` accepts it."""

    decision: FormDecision = Field(description="Applies to every action above. Rejecting takes a note.")
    reviewer: str = Field(description="Your email address.")
    note: str = Field(default="", max_length=2000, description="Why; kept with the decision.")
    choice: FormChoice = Field(
        default=FormChoice.NONE, description="Only where an action above offers choices: which, when you approve."
    )
    other_decisions: list[ActionDecision] = Field(
        default_factory=list, description="Only where several actions are shown and some are decided differently."
    )


def wait_for_decisions(run: Run, waiting: tuple[Approval, ...]) -> Run:
    """Wait until somebody answers, hand the answer to `decide`, and return the run as it stands then.

    A deployed run suspends: its process ends here, and a new one comes by again from the flow's first line.
    """
    pause_run(run, GateKind.APPROVALS)
    last = max(approval.expires_at for approval in waiting)
    shown = approvals_as_markdown(waiting, refusal=run.gate_refusal)
    return _go_on(run, _submit(_ask(run, shown, last - datetime.now(UTC) + _BACKSTOP), waiting))


def wait_while_held(run: Run) -> Run:
    """Wait until the run is released, without a process where it is deployed."""
    pause_run(run, GateKind.HOLD)
    shown = hold_as_markdown(run.held_by or "nobody", refusal=run.gate_refusal)
    return _go_on(run, _release(run, _ask(run, shown, _LONGEST_HOLD)))


def read_answer(run: Run) -> Run:
    """Take up a run that was waiting: its answer is read before anything else happens.

    Nothing has run since the form was shown, so what waits now is what the form has shown; read any later, the answer
    could decide an action that nobody has seen.
    """
    if run.gate_kind is GateKind.HOLD:
        return wait_while_held(run)
    _, ledger = survey(run)
    if ledger.waiting:
        return wait_for_decisions(run, ledger.waiting)
    return _go_on(run, None)


def _go_on(run: Run, refusal: str | None) -> Run:
    close_gate_round(run, refusal)
    return wake_run(reread(run.id, run.org_id, run.epoch))


def _ask(run: Run, description: str, lasting: timedelta) -> ApprovalForm | None:
    """Show the form and wait; nothing comes back where the process that showed it died before anybody answered."""
    form = ApprovalForm.with_initial_data(description=description)
    key, timeout = f"gate-{run.gate_round}", int(lasting.total_seconds())
    if deployment.id:
        # Prefect knows the key, and does not wait under it again: it looks for an answer that nobody gave.
        with suppress(ValidationError):
            return suspend_flow_run(wait_for_input=form, key=key, timeout=timeout)
        return None
    return pause_flow_run(wait_for_input=form, key=key, timeout=timeout, poll_interval=1)


def _submit(answer: ApprovalForm | None, waiting: tuple[Approval, ...]) -> str | None:
    if answer is None or answer.decision is FormDecision.RECORDED:
        return None
    refusals = []
    for approval in waiting:
        try:
            decide(approval.id, _request(answer, approval))
        except DecisionRefused as refused:
            get_run_logger().warning("a decision was refused: %s", refused)
            refusals.append(str(refused))
    return "; ".join(refusals) or None


def _request(answer: ApprovalForm, approval: Approval) -> DecisionRequest:
    other = next((each for each in answer.other_decisions if each.step == approval.step_id), None)
    choice = other.choice if other else answer.choice
    return DecisionRequest(
        decision=other.decision if other else Decision(answer.decision.value),
        reviewer=answer.reviewer.strip().lower(),
        note=answer.note or None,
        # One form for all: a choice that is meant for another action is not held against this one.
        choice=choice.value if choice is not FormChoice.NONE and approval.choices else None,
        via=DecisionPath.FORM,
    )


def _release(run: Run, answer: ApprovalForm | None) -> str | None:
    if answer is None or answer.decision is FormDecision.RECORDED:
        return None
    if answer.decision is FormDecision.REJECT:
        return "the run stays held; to end it, cancel it"
    try:
        release_run(run, answer.reviewer.strip().lower())
    except BadInput as refused:
        get_run_logger().warning("a release was refused: %s", refused)
        return str(refused)
    return None
