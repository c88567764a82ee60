"""Deciding an approval: the one function in which every path ends."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from maos.approval_events import approval_event
from maos.approvals import Approval, ApprovalKind, Decision
from maos.audit import AuditEvent
from maos.decisions import MOST_ROUNDS_OF_CHANGES, DecisionRequest, Refusal, Reviewer, Rule, refusal_of
from maos.errors import DecisionRefused, IdentityRefused
from maos.notices import NoticeKind, reminder_at
from maos.statuses import ApprovalStatus
from maos.votes import Vote, progress_in_words, seat_of, verdict_of
from sql import approvals, audit, votes
from sql.session import org_session, system_session
from tasks.edits import edited
from tasks.exemptions import note_decision
from tasks.notices import tell
from tasks.plan_approvals import grant
from tasks.reviewers import Identity, identify
from tasks.secrecy import for_clients


def decide(approval_id: UUID, request: DecisionRequest, *, identity: Identity | None = None) -> Approval:
    """Decide an approval, or vote on it: every path ends here, and of any number of callers one decides.

    Args:
        identity: of the reviewer, where it was established for several decisions at once.

    Returns:
        The approval as it stands then: still pending where it takes further votes.

    Raises:
        DecisionRefused: naming the rule that refuses, or who decided first and when.
    """
    request = request.model_copy(update={"note": for_clients(request.note, limit=None) if request.note else None})
    with system_session() as session:
        approval = approvals.find_approval(approval_id, session=session)
    if approval is None:
        raise DecisionRefused(str(approval_id), "no such approval")
    identity = identity or identify_for({approval_id: request}, org_id=approval.org_id)
    changed = _edited(approval, request, identity) if request.decision is Decision.EDIT else None
    with org_session(approval.org_id) as session:
        _cast(approval_id, request, identity, changed, session=session)
        decided = approvals.find_approval(approval_id, session=session)
    return decided or approval


def identify_for(requests: Mapping[UUID, DecisionRequest], *, org_id: UUID) -> Identity:
    """Establish once who it is that asks to decide approvals of an organisation.

    A one-time code is used up only where it can serve: not where everything is refused for other reasons.

    Args:
        requests: at least one, by approval; all of the same reviewer, with the same code.

    Raises:
        DecisionRefused: when the code does not prove it.
    """
    asked = next(iter(requests.values()))
    known = _identity(asked.model_copy(update={"code": None}), org_id=org_id)
    if not asked.code:
        return known
    proved = _reviewer(known).model_copy(update={"verified": True})
    with org_session(org_id) as session:
        given = votes.votes_on(requests.keys(), session=session)
        now = approvals.database_time(session=session)
        found = {each.id: each for each in approvals.find_approvals(requests.keys(), session=session)}
    counting = [
        name
        for name, request in requests.items()
        if name in found and refusal_of(found[name], request, proved, votes=given[name], now=now) is None
    ]
    return _identity(asked, org_id=org_id) if counting else known


def _identity(request: DecisionRequest, *, org_id: UUID) -> Identity:
    try:
        return identify(request.reviewer, request.code, org_id=org_id)
    except IdentityRefused as refused:
        rule = Rule.CODE if request.code else Rule.MEMBER
        words = f"{refused.person} {refused.reason}"
        raise DecisionRefused("of this reviewer", str(Refusal(rule=rule, words=words))) from None


def _reviewer(identity: Identity) -> Reviewer:
    return Reviewer(email=identity.email, roles=identity.roles, verified=identity.verified)


def _edited(approval: Approval, request: DecisionRequest, identity: Identity) -> Approval:
    with org_session(approval.org_id) as session:
        given = votes.votes_on([approval.id], session=session)[approval.id]
        now = approvals.database_time(session=session)
    _refuse(approval.id, refusal_of(approval, request, _reviewer(identity), votes=given, now=now))
    return edited(approval, request)


def _cast(
    approval_id: UUID, request: DecisionRequest, identity: Identity, changed: Approval | None, *, session: Session
) -> None:
    """Write a vote, and the decision where it is the one that decides, while nobody else can."""
    approval, now = approvals.lock_approval(approval_id, session=session)
    if approval is None:
        raise DecisionRefused(str(approval_id), "no such approval")
    given = votes.votes_on([approval_id], session=session)[approval_id]
    reviewer = _reviewer(identity)
    _refuse(approval_id, refusal_of(approval, request, reviewer, votes=given, now=now))
    _refuse(approval_id, _too_many_rounds(approval, request, session=session))
    vote = Vote(
        email=reviewer.email,
        approves=request.decision.approves,
        revision=approval.revision,
        stage=approval.stage,
        seat=seat_of(approval, reviewer.email, reviewer.roles, given) or 0,
    )
    if changed:
        approval, vote = _edit(approval, changed, vote, session=session)
    votes.add_vote(approval, request, vote, verified=identity.verified, session=session)
    given = [*given, vote]
    verdict = ApprovalStatus.REJECTED if request.decision.ends_at_once else verdict_of(approval, given)
    if isinstance(verdict, ApprovalStatus):
        _decide(approval, request, verdict, verified=identity.verified, session=session)
    else:
        _go_on(approval, verdict, now=now, edited_anew=changed is not None, session=session)
    learned = note_decision(approval, request, verdict, session=session)
    for event in (_event(approval, request, identity, verdict, given), *learned):
        audit.append_audit(event, org_id=approval.org_id, session=session)


def _refuse(approval_id: UUID, refusal: Refusal | None) -> None:
    if refusal:
        raise DecisionRefused(str(approval_id), str(refusal))


def _too_many_rounds(approval: Approval, request: DecisionRequest, *, session: Session) -> Refusal | None:
    if request.decision is not Decision.REQUEST_CHANGES:
        return None
    if approvals.rounds_of_changes(approval, session=session) < MOST_ROUNDS_OF_CHANGES:
        return None
    words = f"changes were requested {MOST_ROUNDS_OF_CHANGES} times already; approve, edit, respond or reject"
    return Refusal(rule=Rule.ROUNDS, words=words)


def _edit(approval: Approval, changed: Approval, vote: Vote, *, session: Session) -> tuple[Approval, Vote]:
    """Put an edited payload in the place of the one that was shown; nobody but its editor has voted on it."""
    if changed.revision != approval.revision + 1:
        _refuse(approval.id, Refusal(rule=Rule.SEEN, words="it has been edited since it was shown; look again"))
    approvals.edit(approval, changed, session=session)
    votes.add_edit(approval, changed, edited_by=vote.email, session=session)
    return changed, vote.model_copy(update={"revision": changed.revision})


def _decide(
    approval: Approval, request: DecisionRequest, verdict: ApprovalStatus, *, verified: bool, session: Session
) -> None:
    if not approvals.decide_pending(approval, request, verdict, verified=verified, session=session):
        _refuse(approval.id, Refusal(rule=Rule.EXPIRED, words="it expired at this moment"))
    if approval.kind is ApprovalKind.PLAN and verdict is ApprovalStatus.APPROVED:
        grant(approval, request, verified=verified, session=session)


def _go_on(approval: Approval, stage: int, *, now: datetime, edited_anew: bool, session: Session) -> None:
    if stage != approval.stage:
        expires_at = now + approval.policy.life_of(approval.risk)
        approval = approval.model_copy(update={"stage": stage, "escalated": False, "expires_at": expires_at})
        remind_at = reminder_at(approval, sent=0)
        approvals.open_stage(approval, stage, expires_at=expires_at, remind_at=remind_at, session=session)
    elif not edited_anew:
        return
    # Of a new payload, too: nobody but its editor has voted on it.
    tell(NoticeKind.REQUESTED, [approval], session=session)


def _event(
    approval: Approval,
    request: DecisionRequest,
    identity: Identity,
    verdict: ApprovalStatus | int,
    given: list[Vote],
) -> AuditEvent:
    note = f": {request.note}" if request.note else ""
    proof = "verified by a one-time code" if identity.verified else "unverified"
    said = f"{_IN_WORDS[request.decision]} by {identity.email} (identity {proof}){note}"
    more = "" if isinstance(verdict, ApprovalStatus) else f"; {progress_in_words(approval, given)}"
    return approval_event(
        approval,
        verdict.value if isinstance(verdict, ApprovalStatus) else "voted",
        actor=identity.email,
        was_automatic=False,
        policy_version=approval.policy.version,
        summary=said + more,
    )


_IN_WORDS = {
    Decision.APPROVE: "approved",
    Decision.REJECT: "rejected",
    Decision.EDIT: "edited and approved",
    Decision.RESPOND: "answered instead of run",
    Decision.REQUEST_CHANGES: "sent back for changes",
}
