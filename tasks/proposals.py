"""Proposals of exemptions: made by numbers alone, for an owner to sign or reject."""

from decimal import Decimal
from uuid import UUID

from sqlmodel import Session

from maos.approval_policy import ApprovalPolicy, DecidingRole, Group, Stage
from maos.approvals import ApprovalKind
from maos.canonical import digest_of
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
from maos.notices import NoticeKind, reminder_at
from maos.policy import PolicyBook
from maos.risk import RiskLevel
from sql import audit, exemptions, learning, organizations
from sql.approval_tables import AgentPendingAction
from sql.approvals import approval_of
from sql.session import only_one, org_session, system_session
from sql.tables import utc_now
from tasks.catalogue import actions
from tasks.exemptions import PROPOSER, exemption_event
from tasks.notices import tell
from tasks.policies import policy_book
from tasks.secrecy import for_clients

# Any constant will do: it keeps two proposers apart.
_PROPOSING = 0x6C6561726E
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
            said = f"proposed: {each.likeness.in_words}"
            event = exemption_event(each, "exemption.proposed", actor=PROPOSER, summary=said)
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
        cost_ceiling_usd=Decimal(0),
        policy=_signing_policy(book).model_dump(mode="json"),
        initiator_id=PROPOSER,
        # Their judgement is what it would be by: they may not sign it as well.
        acting_for=sorted(record.majority),
        started_at=now,
        expires_at=now + SIGNED_WITHIN,
        kind=ApprovalKind.EXEMPTION,
    )
    row.remind_at = reminder_at(approval_of(row), sent=0)
    session.add(row)
    session.flush()
    tell(NoticeKind.REQUESTED, [approval_of(row)], session=session)
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
