"""The gate: the only place where a run waits for a person."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from prefect import get_run_logger, pause_flow_run, suspend_flow_run
from prefect.runtime import deployment
from pydantic import ValidationError

from flows.forms import ApprovalForm, FormDecision, requests_of
from maos.approval_view import approvals_as_markdown, hold_as_markdown
from maos.approvals import Approval
from maos.errors import BadInput, DecisionRefused
from maos.runs import GateKind, Run
from tasks.approvals import decide, identify_for
from tasks.gates import close_gate_round
from tasks.holds import release_run
from tasks.ledger import reread, survey, votes_of
from tasks.notice_delivery import announce
from tasks.runs import pause_run, wake_run

# Prefect's own time-out is only a backstop: ours is checked first, and records who and why.
_BACKSTOP = timedelta(days=1)
_LONGEST_HOLD = timedelta(days=365)


def wait_for_decisions(run: Run, waiting: tuple[Approval, ...]) -> Run:
    """Wait until somebody answers, hand the answer to `decide`, and return the run as it stands then.

    A deployed run suspends: its process ends here, and a new one comes by again from the flow's first line.
    """
    pause_run(run, GateKind.APPROVALS, waiting)
    announce(run)
    run = reread(run.id, run.org_id, run.epoch)
    # The last stage of each, should every stage be escalated, has its end by then.
    last = max(approval.expires_at + approval.longest_rest for approval in waiting)
    shown = approvals_as_markdown(waiting, refusal=run.gate_refusal, votes=votes_of(run, waiting))
    return _go_on(run, _submit(_ask(run, shown, last - datetime.now(UTC) + _BACKSTOP), run, waiting))


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


def _submit(answer: ApprovalForm | None, run: Run, waiting: Sequence[Approval]) -> str | None:
    """Hand an answer to `decide`, for each action that its form has shown; return what was refused."""
    if answer is None or answer.decision is FormDecision.RECORDED:
        return None
    shown = {each.id: run.gate_shown[str(each.id)] for each in waiting if str(each.id) in run.gate_shown}
    try:
        requests = requests_of(answer, [each for each in waiting if each.id in shown], seen=shown)
        identity = identify_for(requests, org_id=run.org_id) if requests else None
    except DecisionRefused as refused:
        return str(refused)
    refusals = []
    for approval_id, request in requests.items():
        try:
            decide(approval_id, request, identity=identity)
        except DecisionRefused as refused:
            get_run_logger().warning("a decision was refused: %s", refused)
            refusals.append(str(refused))
    return "; ".join(refusals) or None


def _release(run: Run, answer: ApprovalForm | None) -> str | None:
    if answer is None or answer.decision is FormDecision.RECORDED:
        return None
    if answer.decision is not FormDecision.APPROVE:
        return "the run stays held; to end it, cancel it"
    try:
        release_run(run, answer.reviewer.strip().lower())
    except BadInput as refused:
        get_run_logger().warning("a release was refused: %s", refused)
        return str(refused)
    return None
