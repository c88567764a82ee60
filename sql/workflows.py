"""Rows of `deep_agent_workflows`: every version of every organisation's workflows."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from sql.tables import utc_now
from sql.workflow_tables import DeepAgentWorkflow


@dataclass(frozen=True)
class NewWorkflow:
    """A workflow as it is registered."""

    name: str
    title: str
    document: str
    registered_by: str


def list_workflows(org_id: UUID, *, session: Session) -> Sequence[DeepAgentWorkflow]:
    """Return the newest version of each workflow, by name."""
    statement = (
        select(DeepAgentWorkflow)
        .where(DeepAgentWorkflow.org_id == org_id)
        .order_by(col(DeepAgentWorkflow.name), col(DeepAgentWorkflow.version).desc())
        .distinct(col(DeepAgentWorkflow.name))
    )
    return session.exec(statement).all()


def versions_of(org_id: UUID, name: str, *, session: Session) -> Sequence[DeepAgentWorkflow]:
    """Return every version of a workflow, the newest first."""
    statement = (
        select(DeepAgentWorkflow)
        .where(DeepAgentWorkflow.org_id == org_id, DeepAgentWorkflow.name == name)
        .order_by(col(DeepAgentWorkflow.version).desc())
    )
    return session.exec(statement).all()


def next_version(org_id: UUID, name: str, *, session: Session) -> int:
    """Return the number of the next version, from 1."""
    last = select(func.coalesce(func.max(DeepAgentWorkflow.version), 0)).where(
        DeepAgentWorkflow.org_id == org_id, DeepAgentWorkflow.name == name
    )
    return session.exec(last).one() + 1


def add_workflow(org_id: UUID, workflow: NewWorkflow, *, version: int, session: Session) -> DeepAgentWorkflow:
    """Add a version.

    Raises:
        IntegrityError: when another has been added under this number meanwhile.
    """
    row = DeepAgentWorkflow(
        org_id=org_id,
        name=workflow.name,
        version=version,
        title=workflow.title,
        document=workflow.document,
        digest=hashlib.sha256(workflow.document.encode()).hexdigest(),
        registered_by=workflow.registered_by,
    )
    session.add(row)
    session.flush()
    return row


def disable(org_id: UUID, name: str, *, by: str, session: Session) -> Sequence[int]:
    """Disable every version of a workflow that is not disabled; return their numbers."""
    statement = (
        update(DeepAgentWorkflow)
        .where(
            col(DeepAgentWorkflow.org_id) == org_id,
            col(DeepAgentWorkflow.name) == name,
            col(DeepAgentWorkflow.disabled_at).is_(None),
        )
        .values(disabled_by=by, disabled_at=utc_now())
        .returning(col(DeepAgentWorkflow.version))
    )
    return sorted(session.execute(statement).scalars())
