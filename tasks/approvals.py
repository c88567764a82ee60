"""Deciding an approval: the one function in which every path ends."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from maos.approval_events import approval_event
from maos.approvals import Approval, ApprovalKind, Decision
from maos.audit import AuditEvent
from maos.decisions import MOST_ROUNDS_OF_CHANGES, DecisionRequest, Refusal, Reviewer, Rule, refusal_of
from maos.errors import DecisionRefused, IdentityRefused, MaosError
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
    request = _as_kept(request)
    identity = identity or identify_for({approval_id: request}, org_id=_organisation_of(approval_id))
    changed = _edited(approval_id, request, identity) if request.decision is Decision.EDIT else None
    with org_session(identity.org_id) as session:
        answer = _cast({approval_id: request.seen}, request, identity, changed, session=session)[approval_id]
    if isinstance(answer, DecisionRefused):
        raise answer
    return answer


def decide_alike(
    seen: Mapping[UUID, str], request: DecisionRequest, *, identity: Identity
) -> dict[UUID, Approval | MaosError]:
    """Decide approvals of an organisation alike, by the rules of `decide`: what refuses one is that one's alone.

    In one transaction, which takes a small part of the time of one for each. Each by itself where that fails, and
    where they are edited.

    Args:
        seen: the digest of what was shown of each approval.
    """
    if request.decision is not Decision.EDIT:
        with suppress(MaosError, SQLAlchemyError), org_session(identity.org_id) as session:
            return dict(_cast(seen, _as_kept(request), identity, None, session=session))
    return {name: _alone(name, request, digest, identity) for name, digest in seen.items()}


def _alone(approval_id: UUID, request: DecisionRequest, digest: str, identity: Identity) -> Approval | MaosError:
    try:
        return decide(approval_id, request.model_copy(update={"seen": digest}), identity=identity)
    except MaosError as error:
        return error
    except SQLAlchemyError as error:
        return DecisionRefused(str(approval_id), f"the database does not take it ({type(error).__name__})")


def _as_kept(request: DecisionRequest) -> DecisionRequest:
    return request.model_copy(update={"note": for_clients(request.note, limit=None) if request.note else None})


def _organisation_of(approval_id: UUID) -> UUID:
    with system_session() as session:
        return _existing(approval_id, approvals.find_approval(approval_id, session=session)).org_id


def _existing(approval_id: UUID, found: Approval | None) -> Approval:
    if found is None:
        raise DecisionRefused(str(approval_id), "no such approval")
    return found


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


def _edited(approval_id: UUID, request: DecisionRequest, identity: Identity) -> Approval:
    with org_session(identity.org_id) as session:
        approval = _existing(approval_id, approvals.find_approval(approval_id, session=session))
        given = votes.votes_on([approval.id], session=session)[approval.id]
        now = approvals.database_time(session=session)
    _refuse(approval.id, refusal_of(approval, request, _reviewer(identity), votes=given, now=now))
    return edited(approval, request)


@dataclass(frozen=True)
class _Ballot:
    """A vote that counts, and what the votes on its approval come to with it."""

    approval: Approval
    vote: Vote
    given: Sequence[Vote]
    verdict: ApprovalStatus | int


def _cast(
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
    given = votes.votes_on(seen.keys(), session=session)
    answers: dict[UUID, Approval | DecisionRefused] = {}
    ballots = []
    for name, digest in seen.items():
        asked = request.model_copy(update={"seen": digest})
        try:
            approval = _existing(name, locked.get(name))
            _refuse(name, refusal_of(approval, asked, _reviewer(identity), votes=given[name], now=now))
            _refuse(name, _too_many_rounds(approval, asked, session=session))
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
    cast = [(ballot.approval, ballot.vote) for ballot in ballots]
    votes.add_votes(cast, request, by=identity.user_id, verified=identity.verified, session=session)
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
    ended: Sequence[Approval], request: DecisionRequest, verdict: ApprovalStatus, *, verified: bool, session: Session
) -> dict[UUID, Approval]:
    if not ended:
        return {}
    decided = approvals.decide_pending(
        [each.id for each in ended], request, verdict, verified=verified, session=session
    )
    for approval in ended:
        if approval.id not in decided:
            _refuse(approval.id, Refusal(rule=Rule.EXPIRED, words="it expired at this moment"))
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
