"""Statements that are worded once, and go to the database together: what every step writes takes few trips.

SQLAlchemy looks each statement up by its parts and waits for each answer, which takes several times as long as the
database takes to answer; for the few statements that every step sends, the driver is given the words at once. What
nobody waits for an answer to goes with the next statement, or with the commit.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import psycopg
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import ORMExecuteState, SessionTransaction, configure_mappers
from sqlalchemy.orm import Session as OrmSession
from sqlmodel import Session, SQLModel

from sql.pipelines import Driver, Order, Rows, Wire

_CONNECTION, _WIRE = "connection", "wire"

R = TypeVar("R", bound=SQLModel)


class TripSession(Session):
    """A session that keeps what is to be sent later; whatever else it does sees that as if it had been sent."""

    def connection(self, *args: Any, **kwargs: Any) -> Connection:
        """Return the connection, as it is after all that is to be sent."""
        connection = super().connection(*args, **kwargs)
        _catch_up(self)
        return connection

    def begin_nested(self) -> SessionTransaction:
        """Begin what can be undone apart: what was to be sent before is no part of it."""
        _catch_up(self)
        # The savepoint is set when the connection is next asked for.
        self.info.pop(_CONNECTION, None)
        return super().begin_nested()


@event.listens_for(TripSession, "do_orm_execute")
def _before_statement(state: ORMExecuteState) -> None:
    _catch_up(state.session)


@event.listens_for(TripSession, "before_flush")
def _before_flush(session: OrmSession, *_: object) -> None:
    _catch_up(session)


@event.listens_for(TripSession, "after_transaction_end")
def _after_transaction(session: OrmSession, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_CONNECTION, None)


def send_later(*orders: Order, session: Session) -> None:
    """Have the database execute statements whose rows nobody needs before it does anything else, or commits."""
    _wire(_connection(session)).later += orders


def send(*orders: Order, session: Session) -> list[Rows]:
    """Have the database execute statements in their order, in one trip; return the rows of each.

    Each sees what the session and the ones before it did, and what others have committed until it begins.
    """
    session.flush()
    connection = _connection(session)
    first = _taken(connection)
    return _carry([*first, *orders], connection)[len(first) :]


def commit_together(connection: Connection) -> None:
    """Send what is to be sent with the commit that is about to be: then nothing is left for that to do."""
    if orders := _taken(connection):
        _carry(orders, connection, commit=True)


def forget(connection: Connection, *_: object) -> None:
    """Do not send what was to be sent: its transaction, or its part of one, is undone."""
    _taken(connection)


def _connection(session: OrmSession) -> Connection:
    found: Connection | None = session.info.get(_CONNECTION)
    if found is None:
        found = session.info[_CONNECTION] = session.connection()
    return found


def _wire(connection: Connection) -> Wire:
    found: Wire | None = connection.info.get(_WIRE)
    if found is None:
        # The driver is there: the connection is open.
        found = connection.info[_WIRE] = Wire(cast(Driver, connection.connection.driver_connection))
    return found


def _catch_up(session: OrmSession) -> None:
    connection: Connection | None = session.info.get(_CONNECTION)
    if connection and (orders := _taken(connection)):
        _carry(orders, connection)


def _taken(connection: Connection) -> list[Order]:
    wire = _wire(connection)
    taken, wire.later = wire.later, []
    return taken


def _carry(orders: Sequence[Order], connection: Connection, *, commit: bool = False) -> list[Rows]:
    # Whoever listens to what the engine sends hears of these, too.
    tell = connection.engine.dispatch.before_cursor_execute
    for statement, values in orders:
        tell(connection, None, statement.words, values, None, False)
    try:
        return _wire(connection).carry(orders, commit=commit)
    except psycopg.Error as error:
        # As SQLAlchemy would, without the statement's values: they are what the rows hold.
        raise DBAPIError.instance(
            None, None, error, psycopg.Error, hide_parameters=True, dialect=connection.dialect
        ) from error


def unattached(kind: type[R], values: Mapping[str, object]) -> R:
    """Return a row of no session, to be read only: a fraction of what one that notes its changes costs."""
    # What makes its columns readable; nothing when it has happened before.
    configure_mappers()
    return cast(R, kind.model_construct(None, **values))
