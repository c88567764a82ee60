"""One transaction, as one role, for one organisation."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from uuid import UUID

from sqlalchemy import Engine, create_engine, text
from sqlmodel import Session

from maos.settings import DatabaseRole, load_settings
from sql.database import sqlalchemy_address


@contextmanager
def org_session(org_id: UUID) -> Iterator[Session]:
    """Open a transaction that sees and writes one organisation's rows; commits at the end, unless an error passes."""
    with Session(_engine(_address(DatabaseRole.APP)), expire_on_commit=False) as session, session.begin():
        # For this transaction only: a setting of the connection would leak through the pool.
        session.execute(text("SELECT set_config('app.org_id', :org_id, true)"), {"org_id": str(org_id)})
        yield session


@contextmanager
def system_session() -> Iterator[Session]:
    """Open a transaction across organisations, for housekeeping and operators."""
    with Session(_engine(_address(DatabaseRole.SYSTEM)), expire_on_commit=False) as session, session.begin():
        yield session


def _address(role: DatabaseRole) -> str:
    return load_settings().database_address(role)


@lru_cache(maxsize=8)
def _engine(address: str) -> Engine:
    # Pre-ping: after PostgreSQL restarts, the first statement must not fail on a dead connection.
    return create_engine(sqlalchemy_address(address), pool_pre_ping=True, pool_size=5, max_overflow=20)
