"""Exemptions from approvals: proposed by numbers, signed by an owner, withdrawn by the first thing that goes wrong."""

from uuid import UUID

from sqlmodel import Session

from maos.approval_policy import ApprovalPolicy, DecidingRole, Group, Stage
from maos.approvals import Approval, ApprovalKind
from maos.audit import AuditEvent
from maos.canonical import digest_of
from maos.errors import BadInput
from maos.learning import (
    EXEMPTION_STEP,
    QUIET,
    REMEMBERED,
    SIGNED_WITHIN,
    Exemption,
    Likeness,
    TrackRecord,
    lacking,
)
from maos.learning_view import basis_of, proposal_as_markdown
from maos.policy import PolicyBook
from maos.risk import RiskLevel
from maos.statuses import ApprovalStatus
from sql import approvals, audit, exemptions, learning, organizations
from sql.approval_tables import AgentPendingAction
from sql.session import only_one, org_session, system_session
from sql.tables import utc_now
from tasks.catalogue import actions
from tasks.policies import policy_book
from tasks.secrecy import for_clients

_PROPOSER = "maos"
# Any constant will do: it keeps two proposers apart.
_PROPOSING = 0x6C6561726E
_MAY_MARK = frozenset({"owner", "operator", "reviewer"})
_MAY_WITHDRAW = frozenset({"owner"})
_NOT_SIGNED = "nobody signed it in time"


def propose_for_all() -> list[str]:
    """Propose in every organisation; return a sentence for each proposal."""
    with system_session() as session:
        known = organizations.active_organizations(session=session)
    return [
        f"{slug}: {exemption.likeness.in_words}; approval {exemption.approval_id}"
        for org_id, slug in known
        for exemption in propose_exemptions(org_id)
    ]


def propose_exemptions(org_id: UUID) -> list[Exemption]:
    """Ask the owners of an organisation for every exemption that its decisions speak for; return what was asked.

    Nothing is asked that is open, or was rejected, left or withdrawn of late.
    """
    book = policy_book(org_id)
    if not book.policy.learning:
        return []
    with org_session(org_id) as session:
        if not only_one(_PROPOSING, session=session):
            return []
        for unsigned in exemptions.left_unsigned(org_id, session=session):
            exemptions.close(unsigned.approval_id, _NOT_SIGNED, session=session)
        records = learning.records_since(org_id, utc_now() - REMEMBERED, session=session)
        known = exemptions.recent(org_id, utc_now() - QUIET, session=session)
        wanted = [
            (likeness, record)
            for likeness, record in records.items()
            if likeness not in known and likeness.action in actions() and not lacking(likeness, record)
        ]
        proposed = [_propose(org_id, book, likeness, record, session=session) for likeness, record in wanted]
        for each in proposed:
            event = _event(each, "exemption.proposed", actor=_PROPOSER, summary=f"proposed: {each.likeness.in_words}")
            audit.append_audit(event, org_id=org_id, session=session)
    return proposed


def _propose(org_id: UUID, book: PolicyBook, likeness: Likeness, record: TrackRecord, *, session: Session) -> Exemption:
    now, basis = utc_now(), basis_of(record)
    payload = {"exemption": likeness.model_dump(mode="json"), "based_on": basis}
    row = AgentPendingAction(
        org_id=org_id,
        run_id=None,
        step_id=EXEMPTION_STEP,
        action=likeness.action,
        engine_type=actions()[likeness.action].engine,
        title=for_clients(f"Let actions like these run without asking: {likeness.action}."),
        preview=proposal_as_markdown(likeness, record),
        payload=payload,
        digest=digest_of(payload),
        # It decides about many actions at once.
        risk=RiskLevel.HIGH,
        cost_ceiling_usd=0,
        policy=_signing_policy(book).model_dump(mode="json"),
        initiator_id=_PROPOSER,
        # Their judgement is what it would be by: they may not sign it as well.
        acting_for=sorted(record.majority),
        started_at=now,
        expires_at=now + SIGNED_WITHIN,
        kind=ApprovalKind.EXEMPTION,
    )
    session.add(row)
    session.flush()
    return exemptions.add_exemption(likeness, org_id=org_id, approval_id=row.id, based_on=basis, session=session)


def _signing_policy(book: PolicyBook) -> ApprovalPolicy:
    owners = frozenset({DecidingRole.OWNER})
    return ApprovalPolicy(
        version=book.version,
        roles=owners,
        stages=(Stage(name="exemption", groups=(Group(roles=owners),)),),
        expires_after=SIGNED_WITHIN,
        codes_required=book.policy.one_time_codes_required,
    )


def note_decision(
    approval: Approval, verdict: ApprovalStatus, *, person: str, note: str | None, session: Session
) -> list[AuditEvent]:
    """Draw the consequences of a decision in its transaction; return what is to be audited at its end.

    The approval is locked.
    """
    why = f"by {person}{f': {note}' if note else ''}"
    if approval.kind is ApprovalKind.EXEMPTION:
        return _note_signing(approval, verdict, person, why, session=session)
    if approval.kind is not ApprovalKind.ACTION or verdict is not ApprovalStatus.REJECTED:
        return []
    return withdraw_like(approval.id, f"an action like it was not approved {why}", session=session)


def _note_signing(
    approval: Approval, verdict: ApprovalStatus, person: str, why: str, *, session: Session
) -> list[AuditEvent]:
    if verdict is ApprovalStatus.APPROVED:
        signed = exemptions.sign(approval.id, person, session=session)
        return (
            [_event(signed, "exemption.signed", actor=person, summary=f"{signed.name} signed {why}")] if signed else []
        )
    closed = exemptions.close(approval.id, f"not signed {why}", session=session)
    return (
        [_event(closed, "exemption.refused", actor=person, summary=f"{closed.name} not signed {why}")] if closed else []
    )


def withdraw_like(approval_id: UUID, reason: str, *, session: Session) -> list[AuditEvent]:
    """End what is open for actions like one that went wrong; return what is to be audited.

    Call it before anything is locked that an attempt locks after its approval: budgets, and the audit chain.
    """
    likeness = learning.lesson_of(approval_id, session=session)
    approval = approvals.find_approval(approval_id, session=session) if likeness else None
    if likeness is None or approval is None:
        return []
    found = exemptions.lock_open_like(likeness, org_id=approval.org_id, session=session)
    return _withdraw(found, reason, actor=_PROPOSER, session=session)


def _withdraw(found: list[UUID], reason: str, *, actor: str, session: Session) -> list[AuditEvent]:
    ended = exemptions.withdraw(found, reason, session=session) if found else []
    exemptions.cancel_proposals(ended, reason, session=session)
    return [
        _event(each, "exemption.withdrawn", actor=actor, summary=f"{each.name} withdrawn: {reason}") for each in ended
    ]


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
        _check(person, _MAY_WITHDRAW, org_id=exemption.org_id, session=session)
        found = exemptions.lock_open(exemption_id, session=session)
        for event in _withdraw(found, reason, actor=person, session=session):
            audit.append_audit(event, org_id=exemption.org_id, session=session)
    return exemption.likeness.in_words


def roll_back(approval_id: UUID, *, person: str, note: str) -> list[str]:
    """Mark an approved action as one that should not have been; return the exemptions that end with it.

    Raises:
        BadInput: when the person may not, or no such action was approved and begun, or it is marked already.
    """
    with system_session() as session:
        approval = approvals.find_approval(approval_id, session=session)
    if approval is None or approval.kind is not ApprovalKind.ACTION or approval.consumed_at is None:
        raise BadInput("approval", str(approval_id), "one of an action that was approved and carried out")
    why = for_clients(note, limit=None)
    with org_session(approval.org_id) as session:
        _check(person, _MAY_MARK, org_id=approval.org_id, session=session)
        if learning.find_rollback(approval_id, session=session):
            raise BadInput("approval", str(approval_id), "one that is not marked yet")
        learning.add_rollback(approval_id, org_id=approval.org_id, marked_by=person, note=why, session=session)
        ended = withdraw_like(approval_id, f"an action like it was wrong, says {person}: {why}", session=session)
        for event in (_rolled_back(approval, person, why), *ended):
            audit.append_audit(event, org_id=approval.org_id, session=session)
    return [event.summary for event in ended]


def _rolled_back(approval: Approval, person: str, why: str) -> AuditEvent:
    return AuditEvent(
        event="approval.rolled_back",
        actor=person,
        run_id=approval.run_id,
        step_id=approval.step_id,
        action=approval.action,
        risk=approval.risk,
        was_automatic=False,
        approval_id=approval.id,
        digest=approval.digest,
        success=False,
        summary=f"marked as wrong by {person}: {why}",
    )


def _check(person: str, allowed: frozenset[str], *, org_id: UUID, session: Session) -> None:
    user = organizations.find_member(person, session=session)
    roles = organizations.roles_of(user.id, org_id=org_id, session=session) if user else frozenset()
    if not roles & allowed:
        raise BadInput("--as", person, f"a member with role {' or '.join(sorted(allowed))}")


def _event(exemption: Exemption, event: str, *, actor: str, summary: str) -> AuditEvent:
    return AuditEvent(
        event=event,
        actor=actor,
        run_id=None,
        step_id=EXEMPTION_STEP,
        action=exemption.likeness.action,
        risk=exemption.likeness.risk,
        was_automatic=actor == _PROPOSER,
        approval_id=exemption.approval_id,
        success=event in {"exemption.proposed", "exemption.signed"},
        summary=summary,
    )
