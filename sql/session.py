"""One transaction, as one role, for one organisation."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from uuid import UUID

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from maos.errors import StackError
from maos.settings import DatabaseRole, load_settings
from sql.database import sqlalchemy_address


@contextmanager
def org_session(org_id: UUID) -> Iterator[Session]:
    """Open a transaction that sees and writes one organisation's rows; commits at the end, unless an error passes."""
    with _transaction(DatabaseRole.APP) as session:
        # For this transaction only: a setting of the connection would leak through the pool.
        session.execute(text("SELECT set_config('app.org_id', :org_id, true)"), {"org_id": str(org_id)})
        yield session


@contextmanager
def system_session() -> Iterator[Session]:
    """Open a transaction across organisations, for housekeeping and operators."""
    with _transaction(DatabaseRole.SYSTEM) as session:
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
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session
    except OperationalError as error:
        raise StackError("database", f"it does not answer: {str(error.orig).splitlines()[0]}") from error


@lru_cache(maxsize=8)
def _engine(address: str) -> Engine:
    # Pre-ping: after PostgreSQL restarts, the first statement must not fail on a dead connection.
    # Hidden: errors would repeat the values of the rows that they are about.
    return create_engine(
        sqlalchemy_address(address), pool_pre_ping=True, pool_size=5, max_overflow=20, hide_parameters=True
    )
