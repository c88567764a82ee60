"""Statements that are worded once, and go to the database together: what every step writes takes few trips.

SQLAlchemy looks each statement up by its parts and waits for each answer, which takes several times as long as the
database takes to answer; for the few statements that every step sends, the driver is given the words at once.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar, cast

import psycopg
from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import configure_mappers
from sqlmodel import Session, SQLModel

_DIALECT = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy annotates no dialect

R = TypeVar("R", bound=SQLModel)
# Any: columns of several types.
Rows = list[tuple[Any, ...]]


class Worded:
    """A statement in the driver's words. Values of JSON columns are given as the driver's `Jsonb`."""

    def __init__(self, statement: ClauseElement) -> None:
        compiled = statement.compile(dialect=_DIALECT)
        self.words = str(compiled)
        self.query = self.words.encode()
        self._constants = {name: value for name, value in compiled.params.items() if value is not None}

    def of(self, **values: object) -> "Order":
        """Return the statement with these values."""
        return Order(self, self._constants | values)


class Order(NamedTuple):
    """A statement with its values."""

    statement: Worded
    values: Mapping[str, object]


def send(*orders: Order, session: Session) -> list[Rows]:
    """Have the database execute statements in their order, in one trip; return the rows of each.

    Each sees what the session and the ones before it did, and what others have committed until it begins.
    """
    session.flush()
    connection = session.connection()
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]  # it is open
    cursors = [driver.cursor() for _ in orders]
    # Whoever listens to what the engine sends hears of these, too.
    tell = connection.engine.dispatch.before_cursor_execute
    for cursor, order in zip(cursors, orders, strict=True):
        tell(connection, cursor, order.statement.words, order.values, None, False)
    try:
        if len(orders) == 1:
            cursors[0].execute(orders[0].statement.query, orders[0].values)
        else:
            with driver.pipeline():
                for cursor, order in zip(cursors, orders, strict=True):
                    cursor.execute(order.statement.query, order.values)
    except psycopg.Error as error:
        raise _as_sqlalchemy_would(error) from error
    return [cursor.fetchall() if cursor.pgresult and cursor.pgresult.nfields else [] for cursor in cursors]


def _as_sqlalchemy_would(error: psycopg.Error) -> BaseException:
    # Without the statement's values: they are what the rows hold.
    return DBAPIError.instance(None, None, error, psycopg.Error, hide_parameters=True, dialect=_DIALECT)


def unattached(kind: type[R], values: Mapping[str, object]) -> R:
    """Return a row of no session, to be read only: a fraction of what one that notes its changes costs."""
    # What makes its columns readable; nothing when it has happened before.
    configure_mappers()
    return cast(R, kind.model_construct(None, **values))
