"""Taking what mentions a person out of the rows beside the audit chain."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import select as select_columns
from sqlalchemy import text
from sqlmodel import Session, col

from sql.tables import OrchestratorRun


def erase_mentions(org_id: UUID, subjects: Sequence[str], *, session: Session) -> dict[UUID | None, int]:
    """Take every text that mentions one of the subjects out of an organisation's rows; return how many, by run."""
    statement = text("SELECT run_id, sum(changed) FROM erase_mentions(:org, :subjects) GROUP BY run_id")
    found = session.execute(statement, {"org": org_id, "subjects": list(subjects)})
    return {run_id: int(changed) for run_id, changed in found}


def without_end(run_ids: Collection[UUID], *, session: Session) -> Sequence[UUID]:
    """Return which of these runs have no end."""
    statement = select_columns(col(OrchestratorRun.id)).where(
        col(OrchestratorRun.id).in_(run_ids), col(OrchestratorRun.completed_at).is_(None)
    )
    return session.scalars(statement).all()


def ended_run_ids(run_ids: Collection[UUID], org_id: UUID, *, session: Session) -> set[UUID]:
    """Return which of these are runs of the organisation that have an end."""
    statement = select_columns(col(OrchestratorRun.id)).where(
        col(OrchestratorRun.id).in_(run_ids),
        col(OrchestratorRun.org_id) == org_id,
        col(OrchestratorRun.completed_at).is_not(None),
    )
    return set(session.scalars(statement))


def audit_rows_that_mention(org_id: UUID, subjects: Sequence[str], *, session: Session) -> Sequence[int]:
    """Return the audit rows that mention one of the subjects: the chain holds them, and they stay."""
    statement = text(
        "SELECT sequence FROM agent_action_audit_log WHERE org_id = :org "
        "AND (mentions(summary, :subjects) OR mentions(actor, :subjects)) ORDER BY sequence"
    )
    return list(session.scalars(statement, {"org": org_id, "subjects": list(subjects)}))
