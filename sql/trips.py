"""Statements that are worded once, and go to the database together: what every step writes takes few trips.

SQLAlchemy looks each statement up by its parts and waits for each answer, which takes several times as long as the
database takes to answer; for the few statements that every step sends, the driver is given the words at once. What
nobody waits for an answer to goes with the next statement, or with the commit.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar, cast

import psycopg
from sqlalchemy import Connection, Engine, PoolProxiedConnection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import ORMExecuteState, SessionTransaction, configure_mappers
from sqlmodel import Session, SQLModel

from sql.pipelines import Driver, Order, Rows, Wire

_WIRE = "wire"

R = TypeVar("R", bound=SQLModel)


class TripSession(Session):
    """A session that keeps what is to be sent later; whatever else it does sees that as if it had been sent.

    It takes its connection from the pool itself, and SQLAlchemy one to work with only when it is asked to work: most
    transactions of a step are nothing but trips.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(expire_on_commit=False)
        self._engine = engine
        self._joined: Connection | None = None
        try:
            self.pooled = engine.raw_connection()
        except psycopg.Error as error:
            raise _as_sqlalchemy_would(error, engine) from error
        self.wire = _wire(self.pooled)

    # Any: what SQLAlchemy asks for; there is one connection.
    def get_bind(self, *_: Any, **__: Any) -> Connection:
        """Return the connection as SQLAlchemy works with it."""
        if self._joined is None:
            self._joined = Connection(self._engine, self.pooled)
        return self._joined

    def connection(self, *args: Any, **kwargs: Any) -> Connection:
        """Return the connection, as it is after all that is to be sent."""
        self.catch_up()
        return super().connection(*args, **kwargs)

    def begin_nested(self) -> SessionTransaction:
        """Begin what can be undone apart: what was to be sent before is no part of it."""
        self.catch_up()
        nested = super().begin_nested()
        # From here on, and not from the first statement that goes through SQLAlchemy.
        super().connection()
        return nested

    def carry(self, orders: Sequence[Order], *, commit: bool = False) -> list[Rows]:
        """Make a trip."""
        return _carry(orders, self.pooled, self._engine, commit=commit)

    def catch_up(self) -> None:
        """Send what is to be sent."""
        if orders := self.wire.taken():
            self.carry(orders)

    def commit(self) -> None:
        """Commit, on one trip with what is to be sent."""
        self.flush()
        if self._joined is None:
            # Whoever hears of it may have work for SQLAlchemy, which then commits and tells them again.
            self.dispatch.before_commit(self)
        if self._joined is not None:
            super().commit()
            return
        if (orders := self.wire.taken()) or self.wire.in_transaction:
            self.carry(orders, commit=True)
        self.dispatch.after_commit(self)

    def rollback(self) -> None:
        """Undo everything, what is to be sent included."""
        self.wire.taken()
        super().rollback()
        self.pooled.rollback()

    def close(self) -> None:
        """Give the connection back to the pool; what is not committed is undone."""
        self.wire.taken()
        if self.wire.is_dead:
            self.invalidate()
            self.pooled.invalidate()
            return
        if self._joined is not None:
            super().close()
        self.pooled.close()


@event.listens_for(TripSession, "do_orm_execute")
def _before_statement(state: ORMExecuteState) -> None:
    cast(TripSession, state.session).catch_up()


@event.listens_for(TripSession, "before_flush")
def _before_flush(session: TripSession, *_: object) -> None:
    session.catch_up()


def send_later(*orders: Order, session: Session) -> None:
    """Have the database execute statements whose rows nobody needs before it does anything else, or commits."""
    cast(TripSession, session).wire.later += orders


def send(*orders: Order, session: Session) -> list[Rows]:
    """Have the database execute statements in their order, in one trip; return the rows of each.

    Each sees what the session and the ones before it did, and what others have committed until it begins.
    """
    session.flush()
    own = cast(TripSession, session)
    first = own.wire.taken()
    return own.carry([*first, *orders])[len(first) :]


def commit_together(connection: Connection) -> None:
    """Send what is to be sent with the commit that is about to be: then nothing is left for that to do."""
    if orders := _wire(connection.connection).taken():
        _carry(orders, connection.connection, connection.engine, commit=True)


def forget(connection: Connection, *_: object) -> None:
    """Do not send what was to be sent: its transaction, or its part of one, is undone."""
    _wire(connection.connection).taken()


def _wire(pooled: PoolProxiedConnection) -> Wire:
    found: Wire | None = pooled.info.get(_WIRE)
    if found is None:
        # The driver is there: the connection is open.
        found = pooled.info[_WIRE] = Wire(cast(Driver, pooled.driver_connection))
    return found


def _carry(orders: Sequence[Order], pooled: PoolProxiedConnection, engine: Engine, *, commit: bool) -> list[Rows]:
    # Whoever listens to what the engine sends hears of these, too.
    if tell := engine.dispatch.before_cursor_execute:
        for statement, values in orders:
            tell(pooled, None, statement.words, values, None, False)
    try:
        return _wire(pooled).carry(orders, commit=commit)
    except psycopg.Error as error:
        raise _as_sqlalchemy_would(error, engine) from error


def _as_sqlalchemy_would(error: psycopg.Error, engine: Engine) -> BaseException:
    # Without the statement's values: they are what the rows hold.
    return DBAPIError.instance(None, None, error, psycopg.Error, hide_parameters=True, dialect=engine.dialect)


@cache
def _make_readable() -> None:
    # Columns are read through what SQLAlchemy sets up with the first query.
    configure_mappers()


def unattached(kind: type[R], values: Mapping[str, object]) -> R:
    """Return a row of no session, to be read only: a fraction of what one that notes its changes costs."""
    _make_readable()
    return cast(R, kind.model_construct(None, **values))
