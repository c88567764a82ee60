"""Lists newest first, page by page: a page begins after the last row of the one before, which an index finds."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, literal, tuple_
from sqlmodel import Session, col, select

from sql.tables import AgentInvocation, OrchestratorRun, Organization

R = TypeVar("R", OrchestratorRun, AgentInvocation)


class Page(Protocol):
    """Which rows a page may have: begun since and until when, before which row."""

    @property
    def since(self) -> datetime | None:
        """Begun then or later."""

    @property
    def until(self) -> datetime | None:
        """Begun before."""

    @property
    def before(self) -> tuple[datetime, UUID] | None:
        """The last row of the page before."""


def on_page(page: Page, kind: type[OrchestratorRun] | type[AgentInvocation]) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of a page."""
    if page.since:
        yield col(kind.started_at) >= page.since
    if page.until:
        yield col(kind.started_at) < page.until
    if page.before:
        yield tuple_(col(kind.started_at), col(kind.id)) < tuple_(*map(literal, page.before))


def with_slugs(rows: Sequence[R], *, session: Session) -> list[tuple[R, str]]:
    """Return rows with the slugs of their organisations.

    They are asked for apart: to plan a page takes longer than to read it, and the walls of two tables twice as long.
    """
    ids = {row.org_id for row in rows}
    if not ids:
        return []
    found = session.exec(select(Organization.id, Organization.slug).where(col(Organization.id).in_(ids)))
    slugs = dict(found.all())
    return [(row, slugs[row.org_id]) for row in rows if row.org_id in slugs]
