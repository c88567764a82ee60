"""Rows of `agent_action_votes` and `agent_action_edits`: who said what of which payload."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from uuid import UUID

from sqlmodel import Session, col, select

from maos.approvals import Approval, Decision
from maos.decisions import DecisionRequest
from maos.votes import Vote
from sql.approval_tables import AgentActionEdit, AgentActionVote
from sql.tables import User


def votes_on(approval_ids: Collection[UUID], *, session: Session) -> dict[UUID, list[Vote]]:
    """Return the votes on each of these approvals, in the order they were given."""
    statement = (
        select(AgentActionVote, User.email)
        .join(User, col(User.id) == AgentActionVote.user_id)
        .where(col(AgentActionVote.approval_id).in_(approval_ids))
        .order_by(col(AgentActionVote.voted_at))
    )
    votes: dict[UUID, list[Vote]] = defaultdict(list)
    for row, email in session.exec(statement):
        votes[row.approval_id].append(
            Vote(
                email=email,
                approves=Decision(row.decision).approves,
                revision=row.revision,
                stage=row.stage,
                seat=row.seat,
            )
        )
    return votes


def add_votes(
    cast: Sequence[tuple[Approval, Vote]], request: DecisionRequest, *, by: UUID, verified: bool, session: Session
) -> None:
    """Record what somebody said of approvals; a person has one vote on each payload."""
    session.add_all(
        AgentActionVote(
            org_id=approval.org_id,
            approval_id=approval.id,
            user_id=by,
            revision=vote.revision,
            stage=vote.stage,
            seat=vote.seat,
            digest=approval.digest,
            decision=request.decision,
            via=request.via,
            identity_verified=verified,
            note=request.note,
        )
        for approval, vote in cast
    )
    session.flush()


def add_edit(shown: Approval, changed: Approval, *, edited_by: str, session: Session) -> None:
    """Record what an edit has made of what was shown."""
    session.add(
        AgentActionEdit(
            org_id=shown.org_id,
            approval_id=shown.id,
            revision=changed.revision,
            before=shown.payload,
            after=changed.payload,
            digest_before=shown.digest,
            digest_after=changed.digest,
            edited_by=edited_by,
        )
    )
    session.flush()


def vote_rows(approval_id: UUID, *, session: Session) -> Sequence[tuple[AgentActionVote, str]]:
    """Return the votes on an approval as they were recorded, each with whose it is."""
    statement = (
        select(AgentActionVote, User.email)
        .join(User, col(User.id) == AgentActionVote.user_id)
        .where(AgentActionVote.approval_id == approval_id)
        .order_by(col(AgentActionVote.voted_at))
    )
    return session.exec(statement).all()


def edits_of(approval_id: UUID, *, session: Session) -> Sequence[AgentActionEdit]:
    """Return the edits of an approval, the oldest first."""
    statement = select(AgentActionEdit).where(AgentActionEdit.approval_id == approval_id)
    return session.exec(statement.order_by(col(AgentActionEdit.revision))).all()
