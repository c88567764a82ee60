"""Runs a checked query and its second formulation in a locked database, within limits that end the process."""

import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import psutil

from maos.analysis import MOST_COLUMNS, MOST_ROWS, CrossCheck, KeyIs, QueryResult, ResultColumn, WrittenQuery
from maos.cross_check import compared
from maos.errors import EngineFailure, LimitReached
from maos.failures import FailureKind
from maos.query_cells import cell_of, kind_of_column, number_in
from maos.query_check import CheckedQuery
from tasks.analysis_tables import locked_database
from tasks.apart import run_apart
from tasks.tables import MEMORY, quoted

_MOST_RESULT_ROWS = 100_000
# No table of an analysis has a space in its name.
_RESULT = quoted("the result")
# What the process may take beyond what it has: the engine's memory, and as much again for what it does not count.
_MEMORY_BYTES = 2_500_000_000
_LONGEST_REASON = 300

T = TypeVar("T")


@dataclass(frozen=True)
class CheckedPair:
    """A query and its second formulation, both of which may run."""

    query: CheckedQuery
    check: CheckedQuery


def stopped_after(seconds: float, work: Callable[[], T]) -> T:
    """Do the work in a process that is ended when the time is up or the memory does not suffice.

    Raises:
        LimitReached: when it was.
    """
    parent = os.getpid()

    def within_limits() -> T:
        # Where processes cannot be forked, the limit would be that of the whole run.
        if os.getpid() != parent:
            _limit_memory()
        return work()

    try:
        return run_apart(within_limits, timeout_seconds=seconds)
    except EngineFailure as failure:
        if failure.kind is FailureKind.TIMED_OUT:
            raise LimitReached("query time", f"{seconds:g} s", "the query was stopped") from None
        if failure.kind is FailureKind.INTERRUPTED:
            raise LimitReached("query memory", MEMORY, "the query's process was ended") from None
        raise


def answered(pair: CheckedPair, query: WrittenQuery, database: Path, scratch: Path) -> QueryResult:
    """Run the query, keep the beginning of its result, and compute its key figure both ways."""
    with locked_database(database, scratch) as connection:
        try:
            return _result(connection, pair, query)
        except (duckdb.OutOfMemoryException, MemoryError):
            raise LimitReached("query memory", MEMORY, "the query was stopped") from None
        except duckdb.Error as error:
            reason = str(error).partition("\n")[0][:_LONGEST_REASON]
            raise EngineFailure(FailureKind.BAD_REQUEST, f"the query cannot be run: {reason}") from None


def _result(connection: duckdb.DuckDBPyConnection, pair: CheckedPair, query: WrittenQuery) -> QueryResult:
    row_count = _kept(connection, pair.query.sql)
    shown = connection.execute(f"SELECT * FROM {_RESULT} LIMIT {MOST_ROWS}")  # noqa: S608 - a name of our own
    described = [(str(name), str(type_)) for name, type_, *_ in shown.description or ()]
    if len(described) > MOST_COLUMNS:
        raise LimitReached("columns of a result", f"{MOST_COLUMNS}", f"the query gives {len(described):,}")
    rows = shown.fetchall()
    columns = (
        ResultColumn(name=name, kind=kind_of_column(type_, [row[at] for row in rows]))
        for at, (name, type_) in enumerate(described)
    )
    return QueryResult(
        answered=True,
        columns=tuple(columns),
        rows=tuple(tuple(map(cell_of, row)) for row in rows),
        row_count=row_count,
        sql=pair.query.sql,
        check_sql=pair.check.sql,
        read=tuple(sorted(pair.query.columns)),
        cross_check=_cross_check(connection, pair.check.sql, query),
    )


def _kept(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    """Run the query once, keep its result beside the tables, and return how many rows it has."""
    most = _MOST_RESULT_ROWS + 1
    connection.execute(f"CREATE TEMP TABLE {_RESULT} AS SELECT * FROM ({sql}) LIMIT {most}")  # noqa: S608 - checked
    ((rows,),) = connection.execute(f"SELECT count(*) FROM {_RESULT}").fetchall()  # noqa: S608 - a name of our own
    if rows > _MOST_RESULT_ROWS:
        raise LimitReached("rows of a result", f"{_MOST_RESULT_ROWS:,}", "the query gives more")
    return int(rows)


def _cross_check(connection: duckdb.DuckDBPyConnection, check_sql: str, query: WrittenQuery) -> CrossCheck:
    value = _first_value(connection, _KEYS[query.key_is].format(column=quoted(query.key_column)))
    # Not a single value: the second formulation says nothing of the key figure.
    found = connection.execute(f"SELECT * FROM ({check_sql}) LIMIT 2").fetchall()  # noqa: S608 - checked
    check = found[0][0] if len(found) == 1 and len(found[0]) == 1 else None
    return compared(query, value=number_in(value), check=number_in(check))


_KEYS: dict[KeyIs, str] = {
    KeyIs.FIRST_ROW: f"SELECT {{column}} FROM {_RESULT} LIMIT 1",  # noqa: S608 - quoted
    KeyIs.SUM: f"SELECT sum({{column}}) FROM {_RESULT}",  # noqa: S608
    KeyIs.ROW_COUNT: f"SELECT count(*) FROM {_RESULT}",  # noqa: S608
}


# Any: a value of whatever type the query gives.
def _first_value(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    found = connection.execute(sql).fetchall()
    return found[0][0] if found else None


def _limit_memory() -> None:
    most = psutil.Process().memory_info().vms + _MEMORY_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
