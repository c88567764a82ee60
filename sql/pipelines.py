"""One trip to the database: statements sent together over libpq's pipeline, begin and commit of their transaction too.

What psycopg does for each statement, looking it up, preparing it, waiting for it, takes longer than the database takes
for most; here it is done once for all of them.
"""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple, cast

import psycopg
from psycopg import abc, errors, generators
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql.compiler import SQLCompiler

# Any: columns of several types.
Rows = list[tuple[Any, ...]]

# Any: the driver's connections may make rows of any kind.
Driver = psycopg.Connection[Any]

_NAMED = PGDialect_psycopg()  # type: ignore[no-untyped-call]  # SQLAlchemy annotates no dialect
_NUMBERED = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_GOOD = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK})
_NUMBERS = count()


class Worded:
    """A statement in the database's words. Values of JSON columns are given as the driver's `Jsonb`."""

    def __init__(self, statement: ClauseElement) -> None:
        numbered, named = (cast(SQLCompiler, statement.compile(dialect=each)) for each in (_NUMBERED, _NAMED))
        self.query = str(numbered).encode()
        self.names = tuple(numbered.positiontup or ())
        self.formats = (PyFormat.TEXT,) * len(self.names)
        # Under which connections prepare it.
        self.name = b"worded_%d" % next(_NUMBERS)
        # As psycopg takes them, for whoever listens.
        self.words = str(named)
        self._constants = {name: value for name, value in named.params.items() if value is not None}

    def of(self, **values: object) -> "Order":
        """Return the statement with these values."""
        return Order(self, self._constants | values)


class Order(NamedTuple):
    """A statement with its values."""

    statement: Worded
    values: Mapping[str, object]


class Wire:
    """A connection as trips use it, for as long as it lasts."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._adapter = Transformer(driver)
        self._prepared: set[Worded] = set()
        # What goes with whatever is sent next.
        self.later: list[Order] = []

    @property
    def is_dead(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._driver.closed

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction has begun."""
        return self._driver.pgconn.transaction_status != TransactionStatus.IDLE

    def taken(self) -> list[Order]:
        """Take what is to be sent later."""
        taken, self.later = self.later, []
        return taken

    def carry(self, orders: Sequence[Order], *, commit: bool) -> list[Rows]:
        """Have the database execute statements in their order and, if so, commit; return the rows of each.

        A transaction begins with them unless one has.

        Raises:
            psycopg.Error: of the first statement that failed; those after it were not executed.
        """
        # First: what cannot be worded is not sent.
        given = [
            self._adapter.dump_sequence([values[name] for name in statement.names], statement.formats)
            for statement, values in orders
        ]
        try:
            places, preparing, results = self._exchange([order.statement for order in orders], given, commit=commit)
        except BaseException:
            # What was not read would be taken for the answer to something else.
            self._driver.close()
            raise
        good = [result.status in _GOOD for result in results]
        self._prepared.update(statement for place, statement in preparing.items() if good[place])
        if not all(good):
            raise errors.error_from_result(results[good.index(False)], encoding=self._driver.info.encoding)
        rows = [self._rows(results[place]) for place in places]
        self._adapter.set_pgresult(None)
        return rows

    # Any: parameters as the driver has them.
    def _exchange(
        self, statements: Sequence[Worded], given: Sequence[Sequence[Any]], *, commit: bool
    ) -> tuple[list[int], dict[int, Worded], list[PGresult]]:
        """Return every result, where those of the statements are among them, and where those of their preparation."""
        pgconn = self._driver.pgconn
        places: list[int] = []
        preparing: dict[int, Worded] = {}
        sent = 0
        pgconn.enter_pipeline_mode()
        if pgconn.transaction_status == TransactionStatus.IDLE:
            pgconn.send_query_params(_begin(self._driver), None)
            sent += 1
        for statement, values in zip(statements, given, strict=True):
            if statement not in self._prepared and statement not in preparing.values():
                # Without types: a small number must not decide that no large one is taken later.
                pgconn.send_prepare(statement.name, statement.query)
                preparing[sent] = statement
                sent += 1
            pgconn.send_query_prepared(statement.name, values)
            places.append(sent)
            sent += 1
        if commit:
            pgconn.send_query_params(b"COMMIT", None)
            sent += 1
        pgconn.pipeline_sync()
        results = self._driver.wait(_answers(pgconn, sent))
        pgconn.exit_pipeline_mode()
        return places, preparing, results

    def _rows(self, result: PGresult) -> Rows:
        if not result.nfields:
            return []
        self._adapter.set_pgresult(result)
        return self._adapter.load_rows(0, result.ntuples, tuple)


def _begin(driver: Driver) -> bytes:
    level = driver.isolation_level
    return b"BEGIN" if level is None else f"BEGIN ISOLATION LEVEL {level.name.replace('_', ' ')}".encode()


def _answers(pgconn: PGconn, statements: int) -> abc.PQGen[list[PGresult]]:
    """Wait for the result of each statement, and for the end of the trip."""
    yield from generators.send(pgconn)
    results = []
    for _ in range(statements):
        # Each is a statement of its own, and has one result.
        (result,) = yield from generators.fetch_many(pgconn)
        results.append(result)
    yield from generators.fetch_many(pgconn)
    return results
