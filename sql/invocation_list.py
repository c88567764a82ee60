"""Invocations as people look for them, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlalchemy.orm import defer
from sqlmodel import Session, col, select

from maos.engines import EngineType
from maos.statuses import InvocationStatus
from sql.id_ranges import ids_like
from sql.pages import on_page, with_slugs
from sql.tables import AgentInvocation


@dataclass(frozen=True)
class InvocationFilter:
    """Which invocations a listing shows, newest first; `before` is the last row of the page before."""

    run_id: UUID | None = None
    status: InvocationStatus | None = None
    engine_type: EngineType | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: tuple[datetime, UUID] | None = None
    limit: int = 50


def page_of_invocations(which: InvocationFilter, *, session: Session) -> Sequence[tuple[AgentInvocation, str]]:
    """Return what the session may see, without outputs, with the slug of their organisation, newest first."""
    statement = (
        select(AgentInvocation)
        .where(*_conditions(which))
        .order_by(col(AgentInvocation.started_at).desc(), col(AgentInvocation.id).desc())
        .limit(which.limit)
        .options(defer(AgentInvocation.output))  # type: ignore[arg-type]  # SQLModel types columns as values
    )
    return with_slugs(session.exec(statement).all(), session=session)


def _conditions(which: InvocationFilter) -> list[ColumnElement[bool]]:
    equal = ("run_id", "status", "engine_type", "action")
    found = [
        col(getattr(AgentInvocation, name)) == value for name in equal if (value := getattr(which, name)) is not None
    ]
    return [*found, *on_page(which, AgentInvocation)]


def invocation_ids_like(prefix: str, *, session: Session) -> Sequence[UUID]:
    """Return at most two ids that begin with the prefix: enough to say whether it is unique."""
    return ids_like(AgentInvocation.id, prefix, session=session)
