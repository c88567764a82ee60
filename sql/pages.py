"""Lists newest first, page by page: a page begins after the last row of the one before, which an index finds."""

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, literal, tuple_
from sqlmodel import col

from sql.tables import AgentInvocation, OrchestratorRun


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
