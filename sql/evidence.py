"""What the tables say of one run, for its evidence: rows in plain form, with every column there is."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import Session, SQLModel, col, select

from maos.actions import JsonObject
from maos.audit import Document, content_digest
from sql.approval_tables import AgentActionEdit, AgentActionVote, AgentPendingAction
from sql.audit import documents
from sql.plain_rows import approval_facts, plain_row
from sql.tables import AgentInvocation, InvocationVendorDetail, UsageEntry, User


def approvals_with_votes(run_id: UUID, *, session: Session) -> list[JsonObject]:
    """Return the approvals of a run, the oldest first, each with its votes, who voted, and its edits."""
    asked = select(AgentPendingAction).where(AgentPendingAction.run_id == run_id)
    votes = (
        select(AgentActionVote, User.email)
        .join(User, col(User.id) == AgentActionVote.user_id)
        .join(AgentPendingAction, col(AgentPendingAction.id) == AgentActionVote.approval_id)
        .where(AgentPendingAction.run_id == run_id)
        .order_by(col(AgentActionVote.voted_at), col(AgentActionVote.user_id))
    )
    cast = [plain_row(vote) | {"voter": email} for vote, email in session.exec(votes)]
    edits = (
        select(AgentActionEdit)
        .join(AgentPendingAction, col(AgentPendingAction.id) == AgentActionEdit.approval_id)
        .where(AgentPendingAction.run_id == run_id)
        .order_by(col(AgentActionEdit.revision))
    )
    edited = _plain(session.exec(edits).all())
    asked = asked.order_by(col(AgentPendingAction.started_at), col(AgentPendingAction.id))
    found = [approval_facts(row) for row in session.exec(asked)]
    return [each | {"votes": _of(each, cast), "edits": _of(each, edited)} for each in found]


def _of(approval: JsonObject, rows: list[JsonObject]) -> list[JsonObject]:
    return [row for row in rows if row["approval_id"] == approval["id"]]


def usage_entries(run_id: UUID, *, session: Session) -> list[JsonObject]:
    """Return the movements of money of a run, the oldest first."""
    statement = select(UsageEntry).where(UsageEntry.run_id == run_id)
    return _plain(session.exec(statement.order_by(col(UsageEntry.recorded_at), col(UsageEntry.id))).all())


def vendor_details(run_id: UUID, *, session: Session) -> list[JsonObject]:
    """Return what only operators may know of the invocations of a run."""
    statement = (
        select(InvocationVendorDetail)
        .join(AgentInvocation, col(AgentInvocation.id) == InvocationVendorDetail.invocation_id)
        .where(AgentInvocation.run_id == run_id)
        .order_by(col(AgentInvocation.started_at), col(AgentInvocation.id))
    )
    return _plain(session.exec(statement).all())


def links_of(run_id: UUID, *, org_id: UUID, first: int, last: int, session: Session) -> list[JsonObject]:
    """Return a stretch of the chain: the rows of the run, and of others only what proves their place."""
    rows = documents(org_id, first=first, last=last, session=session)
    return [_link(document, row_hash, str(run_id)) for document, row_hash in rows]


def _link(document: Document, row_hash: str, run_id: str) -> JsonObject:
    link: JsonObject = {"sequence": document["sequence"]}
    if document["run_id"] == run_id:
        return link | {"row": dict(document), "row_hash": row_hash}
    # Of the first releases' rows no digest without the hash before it is part of the hash.
    return link | ({"content": content_digest(document)} if "chain_version" in document else {"row_hash": row_hash})


def _plain(rows: Sequence[SQLModel]) -> list[JsonObject]:
    return [plain_row(row) for row in rows]
