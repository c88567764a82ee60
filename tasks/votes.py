"""Casting votes under the lock on what they are about: what they come to is written with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from maos.approval_events import approval_event
from maos.approvals import Approval, ApprovalKind, Decision
from maos.audit import AuditEvent
from maos.decisions import MOST_ROUNDS_OF_CHANGES, DecisionRequest, Refusal, Rule, refusal_of
from maos.errors import DecisionRefused
from maos.notices import NoticeKind, reminder_at
from maos.statuses import ApprovalStatus
from maos.votes import Vote, progress_in_words, seat_of, verdict_of
from sql import approvals, audit, votes
from tasks.exemptions import note_decision
from tasks.notices import tell
from tasks.plan_approvals import grant
from tasks.reviewers import Identity


@dataclass(frozen=True)
class _Ballot:
    """A vote that counts, and what the votes on its approval come to with it."""

    approval: Approval
    vote: Vote
    given: Sequence[Vote]
    verdict: ApprovalStatus | int


def cast(
    seen: Mapping[UUID, str | None],
    request: DecisionRequest,
    identity: Identity,
    changed: Approval | None,
    *,
    session: Session,
) -> dict[UUID, Approval | DecisionRefused]:
    """Write the votes, and the decisions where they decide, while nobody else can; return what stands, or refuses.

    Args:
        seen: the digest of what was shown of each approval.
        changed: the one approval with its parameters as the request has edited them.
    """
    locked = approvals.lock_approvals(seen.keys(), session=session)
    now = approvals.database_time(session=session)
    given, reviewer = votes.votes_on(seen.keys(), session=session), identity.reviewer
    answers: dict[UUID, Approval | DecisionRefused] = {}
    ballots = []
    for name, digest in seen.items():
        asked = request.model_copy(update={"seen": digest})
        try:
            approval = existing(name, locked.get(name))
            refuse(name, refusal_of(approval, asked, reviewer, votes=given[name], now=now))
            refuse(name, _too_many_rounds(approval, asked, session=session))
            ballots.append(_ballot(approval, asked, identity, given[name], changed, session=session))
        except DecisionRefused as refused:
            answers[name] = refused
    standing = _count(ballots, request, identity, now=now, edited_anew=changed is not None, session=session)
    return answers | standing


def _ballot(
    approval: Approval,
    request: DecisionRequest,
    identity: Identity,
    given: Sequence[Vote],
    changed: Approval | None,
    *,
    session: Session,
) -> _Ballot:
    vote = Vote(
        email=identity.email,
        approves=request.decision.approves,
        revision=approval.revision,
        stage=approval.stage,
        seat=seat_of(approval, identity.email, identity.roles, given) or 0,
    )
    if changed:
        approval, vote = _edit(approval, changed, vote, session=session)
    given = [*given, vote]
    verdict = ApprovalStatus.REJECTED if request.decision.ends_at_once else verdict_of(approval, given)
    return _Ballot(approval, vote, given, verdict)


def _count(
    ballots: Sequence[_Ballot],
    request: DecisionRequest,
    identity: Identity,
    *,
    now: datetime,
    edited_anew: bool,
    session: Session,
) -> dict[UUID, Approval]:
    """Write ballots and what comes of them; return the approvals as they stand then."""
    if not ballots:
        return {}
    given = [(ballot.approval, ballot.vote) for ballot in ballots]
    votes.add_votes(given, request, by=identity.user_id, verified=identity.verified, session=session)
    standing = {
        ballot.approval.id: _go_on(ballot.approval, ballot.verdict, now=now, edited_anew=edited_anew, session=session)
        for ballot in ballots
        if not isinstance(ballot.verdict, ApprovalStatus)
    }
    for verdict in (ApprovalStatus.APPROVED, ApprovalStatus.REJECTED):
        ended = [ballot.approval for ballot in ballots if ballot.verdict is verdict]
        standing |= _decide(ended, request, verdict, verified=identity.verified, session=session)
    events = []
    for ballot in ballots:
        events.append(_event(ballot, request, identity))
        events += note_decision(ballot.approval, request, ballot.verdict, session=session)
    audit.append_all(events, org_id=identity.org_id, session=session)
    return standing


def existing(approval_id: UUID, found: Approval | None) -> Approval:
    """Return what was looked for.

    Raises:
        DecisionRefused: when there is no such approval.
    """
    if found is None:
        raise DecisionRefused(str(approval_id), "no such approval")
    return found


def refuse(approval_id: UUID, refusal: Refusal | None) -> None:
    """Go on only where no rule refuses.

    Raises:
        DecisionRefused: with what refuses.
    """
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
        refuse(approval.id, Refusal(rule=Rule.SEEN, words="it has been edited since it was shown; look again"))
    approvals.edit(approval, changed, session=session)
    votes.add_edit(approval, changed, edited_by=vote.email, session=session)
    return changed, vote.model_copy(update={"revision": changed.revision})


def _decide(
    ended: Sequence[Approval], request: DecisionRequest, verdict: ApprovalStatus, *, verified: bool, session: Session
) -> dict[UUID, Approval]:
    if not ended:
        return {}
    decided = approvals.decide_pending(
        [each.id for each in ended], request, verdict, verified=verified, session=session
    )
    for approval in ended:
        if approval.id not in decided:
            refuse(approval.id, Refusal(rule=Rule.EXPIRED, words="it expired at this moment"))
        if approval.kind is ApprovalKind.PLAN and verdict is ApprovalStatus.APPROVED:
            grant(approval, request, verified=verified, session=session)
    return decided


def _go_on(approval: Approval, stage: int, *, now: datetime, edited_anew: bool, session: Session) -> Approval:
    before = approval.stage
    if stage != before:
        expires_at = now + approval.policy.life_of(approval.risk)
        approval = approval.model_copy(update={"stage": stage, "escalated": False, "expires_at": expires_at})
        remind_at = reminder_at(approval, sent=0)
        approvals.open_stage(approval, stage, expires_at=expires_at, remind_at=remind_at, session=session)
    # Of a new payload, too: nobody but its editor has voted on it.
    if stage != before or edited_anew:
        tell(NoticeKind.REQUESTED, [approval], session=session)
    return approval


def _event(ballot: _Ballot, request: DecisionRequest, identity: Identity) -> AuditEvent:
    approval, verdict = ballot.approval, ballot.verdict
    note = f": {request.note}" if request.note else ""
    proof = "verified by a one-time code" if identity.verified else "unverified"
    said = f"{_IN_WORDS[request.decision]} by {identity.email} (identity {proof}){note}"
    more = "" if isinstance(verdict, ApprovalStatus) else f"; {progress_in_words(approval, ballot.given)}"
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
