"""Exemptions from approvals: signed by an owner, withdrawn by the first thing that goes wrong."""

from collections.abc import Set
from uuid import UUID

from sqlmodel import Session

from maos.approvals import Approval, ApprovalKind
from maos.audit import AuditEvent
from maos.decisions import DecisionRequest
from maos.errors import BadInput
from maos.frontier import has_failed
from maos.learning import EXEMPTION_STEP, Exemption, Likeness
from maos.runs import FailedStep
from maos.statuses import ApprovalStatus
from sql import approvals, audit, exemptions, invocations, learning, organizations
from sql.session import org_session, system_session
from tasks.failures import error_for_clients, kind_of
from tasks.learning import likeness_of
from tasks.payloads import Payload
from tasks.secrecy import for_clients

PROPOSER = "maos"
_MAY_WITHDRAW = frozenset({"owner"})


def note_decision(
    approval: Approval, request: DecisionRequest, verdict: ApprovalStatus | int, *, session: Session
) -> list[AuditEvent]:
    """Draw the consequences of a decision on a locked approval; return what is to be audited with it."""
    why = f"by {request.reviewer}{f': {request.note}' if request.note else ''}"
    if approval.kind is ApprovalKind.EXEMPTION:
        return _note_signing(approval, verdict, person=request.reviewer, why=why, session=session)
    if approval.kind is not ApprovalKind.ACTION or request.decision.approves:
        return []
    return withdraw_for(approval.id, f"an action like it was not approved {why}", session=session)


def _note_signing(
    approval: Approval, verdict: ApprovalStatus | int, *, person: str, why: str, session: Session
) -> list[AuditEvent]:
    if verdict is ApprovalStatus.APPROVED:
        changed, event, said = exemptions.sign(approval.id, person, session=session), "exemption.signed", "signed"
    elif verdict is ApprovalStatus.REJECTED:
        said = "not signed"
        changed, event = exemptions.close(approval.id, f"{said} {why}", session=session), "exemption.refused"
    else:
        return []
    return [exemption_event(changed, event, actor=person, summary=f"{said} {why}")] if changed else []


def note_failure(
    payload: Payload, error: BaseException | None, *, in_doubt: bool, session: Session
) -> list[AuditEvent]:
    """Draw the consequences of an attempt that has failed; return what is to be audited with it.

    Call it before budgets are locked: whoever uses an exemption locks it before them, too.
    """
    if payload.run.rehearsal or not (in_doubt or _for_good(payload, error, session=session)):
        return []
    reason = f"an action like it {'was left in doubt' if in_doubt else f'failed: {error_for_clients(error)}'}"
    return _withdraw_like(likeness_of(payload), reason, org_id=payload.run.org_id, session=session)


def _for_good(payload: Payload, error: BaseException | None, *, session: Session) -> bool:
    kind, run, step = kind_of(error), payload.run, payload.step
    before = invocations.step_states(run.id, run.attempt, session=session).failed.get(step.id)
    return has_failed(step, FailedStep(kind=kind, summary="", tries=before.tries + 1 if before else 1))


def withdraw_for(approval_id: UUID, reason: str, *, session: Session) -> list[AuditEvent]:
    """End what is open for actions like one that went wrong; return what is to be audited with it."""
    approval = approvals.find_approval(approval_id, session=session)
    likeness = learning.lesson_of(approval_id, session=session)
    if likeness is None or approval is None:
        return []
    return _withdraw_like(likeness, reason, org_id=approval.org_id, session=session)


def _withdraw_like(likeness: Likeness, reason: str, *, org_id: UUID, session: Session) -> list[AuditEvent]:
    found = exemptions.lock_open_like(likeness, org_id=org_id, session=session)
    return _withdraw(found, reason, actor=PROPOSER, session=session)


def _withdraw(found: list[UUID], reason: str, *, actor: str, session: Session) -> list[AuditEvent]:
    ended = exemptions.withdraw(found, reason, session=session) if found else []
    exemptions.cancel_proposals(ended, reason, session=session)
    return [exemption_event(each, "exemption.withdrawn", actor=actor, summary=f"withdrawn: {reason}") for each in ended]


def withdraw_exemption(exemption_id: UUID, *, person: str, note: str) -> str:
    """Have such actions asked about again from now on; return which they are.

    Raises:
        BadInput: when the person may not, or the exemption is not open.
    """
    with system_session() as session:
        exemption = exemptions.find_exemption(exemption_id, session=session)
    if exemption is None or exemption.withdrawn_at:
        raise BadInput("exemption", str(exemption_id), "one that is open")
    reason = for_clients(f"by {person}: {note}", limit=None)
    with org_session(exemption.org_id) as session:
        check_role(person, _MAY_WITHDRAW, org_id=exemption.org_id, session=session)
        found = exemptions.lock_open(exemption_id, session=session)
        for event in _withdraw(found, reason, actor=person, session=session):
            audit.append_audit(event, org_id=exemption.org_id, session=session)
    return exemption.likeness.in_words


def check_role(person: str, allowed: Set[str], *, org_id: UUID, session: Session) -> None:
    """Refuse a person who has none of these roles.

    Raises:
        BadInput: naming who may.
    """
    user = organizations.find_member(person, session=session)
    roles = organizations.roles_of(user.id, org_id=org_id, session=session) if user else frozenset()
    if not roles & allowed:
        raise BadInput("--as", person, f"a member with role {' or '.join(sorted(allowed))}")


def exemption_event(exemption: Exemption, event: str, *, actor: str, summary: str) -> AuditEvent:
    """Return what is audited of an exemption."""
    return AuditEvent(
        event=event,
        actor=actor,
        run_id=None,
        step_id=EXEMPTION_STEP,
        action=exemption.likeness.action,
        risk=exemption.likeness.risk,
        was_automatic=actor == PROPOSER,
        approval_id=exemption.approval_id,
        success=event in {"exemption.proposed", "exemption.signed"},
        summary=f"{exemption.name} {summary}",
    )
