"""One transaction, as one role, for one organisation."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import InvalidatePoolError, OperationalError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlmodel import Session

from maos.errors import StackError
from maos.settings import DatabaseRole, load_settings
from sql.database import sqlalchemy_address
from sql.pipelines import Order, Rows, Worded
from sql.trips import TripSession, commit_together, forget, send

# For this transaction only: a setting of the connection would leak through the pool.
_ACT_FOR = Worded(text("SELECT set_config('app.org_id', :org_id, true), set_config('app.actor', :actor, true)"))
_ACT_AS = text("SELECT set_config('app.actor', :actor, true)")
# Asking costs a trip: a connection that was at work just now is not asked whether it is alive.
_TRUSTED_SECONDS = 1.0


@contextmanager
def org_session(org_id: UUID, *, actor: str | None = None) -> Iterator[Session]:
    """Open a transaction that sees and writes one organisation's rows; commits at the end, unless an error passes.

    Args:
        actor: for whom the database writes what it records of changes to people and logins; else for the login itself.
    """
    with _transaction(DatabaseRole.APP) as session:
        send(_ACT_FOR.of(org_id=str(org_id), actor=actor or ""), session=session)
        yield session


@contextmanager
def org_session_with(*first: Order, org_id: UUID) -> Iterator[tuple[Session, list[Rows]]]:
    """Open such a transaction with its first statements, which go on the same trip; give their rows, too."""
    with _transaction(DatabaseRole.APP) as session:
        _, *rows = send(_ACT_FOR.of(org_id=str(org_id), actor=""), *first, session=session)
        yield session, rows


@contextmanager
def system_session(*, actor: str | None = None) -> Iterator[Session]:
    """Open a transaction across organisations, for housekeeping and operators."""
    with _transaction(DatabaseRole.SYSTEM) as session:
        if actor:
            session.execute(_ACT_AS, {"actor": actor})
        yield session


def session_for(org_id: UUID | None) -> AbstractContextManager[Session]:
    """Open a transaction that sees one organisation's rows or, where none is named, those of all."""
    return org_session(org_id) if org_id else system_session()


@contextmanager
def owner_session(org_id: UUID, *, actor: str) -> Iterator[Session]:
    """Open a transaction of an administrator that acts as the tables' owner, for one organisation."""
    with _transaction(DatabaseRole.OWNER) as session:
        send(_ACT_FOR.of(org_id=str(org_id), actor=actor), session=session)
        yield session


def see_one_moment(*, session: Session) -> None:
    """Have every statement of a transaction that has not begun to read see the database as it is now."""
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def only_one(lock: int, *, session: Session) -> bool:
    """Say whether nobody else has this lock; it is held until the transaction, or its process, ends."""
    return bool(session.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": lock}))


@contextmanager
def _transaction(role: DatabaseRole) -> Iterator[Session]:
    engine = _engine(load_settings().database_address(role))
    try:
        with TripSession(engine) as session:
            yield session
            # Not what a failed statement has undone, where its caller went on.
            if session.is_active:
                session.commit()
    except OperationalError as error:
        raise StackError("database", f"it does not answer: {str(error.orig).splitlines()[0]}") from error


@lru_cache(maxsize=8)
def _engine(address: str) -> Engine:
    # Hidden: errors would repeat the values of the rows that they are about.
    # As many are kept as a run has steps at once: those above are opened anew for each transaction, which takes longer
    # than the transaction.
    engine = create_engine(
        sqlalchemy_address(address),
        pool_size=12,
        max_overflow=13,
        hide_parameters=True,
        # Trips prepare what is worth it. What psycopg prepares it gives up with everything else after a failure.
        connect_args={"prepare_threshold": None},
    )
    event.listen(engine, "commit", commit_together)
    event.listen(engine, "rollback", forget)
    event.listen(engine, "rollback_savepoint", forget)
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", _check_alive)
    return engine


# Any: what the pool hands to its listeners.
def _note_use(_connection: Any, entry: ConnectionPoolEntry) -> None:
    entry.info["used_at"] = time.monotonic()


def _check_alive(connection: Any, entry: ConnectionPoolEntry, _proxy: Any) -> None:
    """After PostgreSQL restarts, the first statement must not fail on a dead connection."""
    if time.monotonic() - entry.info.get("used_at", time.monotonic()) < _TRUSTED_SECONDS:
        return
    try:
        connection.execute("SELECT 1")
        connection.rollback()
    except psycopg.OperationalError as error:
        raise InvalidatePoolError from error
