"""Tries answers of the writer on a tool before they are accepted, where rules alone cannot tell whether they hold."""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from maos.actions import JsonObject
from maos.analysis import MOST_COLUMNS, AnalysisTables, KeyIs, WrittenQuery
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.query_cells import is_number_type
from maos.query_check import checked_query
from maos.query_writing import WRITE_QUERY
from tasks.analysis_tables import empty_tables
from tasks.apart import run_apart

_MOST_SECONDS = 30.0
_LONGEST_REASON = 300


def trial_faults(action: str, answer: JsonObject, inputs: Mapping[str, JsonObject]) -> list[str]:
    """Return why an answer that its action's rules accept does not work, in words that the writer can act on."""
    trial = _TRIALS.get(action)
    return trial(answer, inputs) if trial else []


def _query_faults(answer: JsonObject, inputs: Mapping[str, JsonObject]) -> list[str]:
    query, tables = WrittenQuery.model_validate(answer), AnalysisTables.model_validate(inputs["tables"])
    if not query.answerable:
        return []
    try:
        return run_apart(lambda: _described(query, tables), timeout_seconds=_MOST_SECONDS)
    except EngineFailure as failure:
        if failure.kind is not FailureKind.TIMED_OUT:
            raise
        return ["sql: it takes too long to plan; write it more simply"]


def _described(query: WrittenQuery, tables: AnalysisTables) -> list[str]:
    with TemporaryDirectory(prefix="maos-trial-") as scratch, empty_tables(tables, Path(scratch)) as connection:
        try:
            columns = _columns(connection, checked_query(query.sql, tables.names).sql)
        except duckdb.Error as error:
            return [f"sql: {_reason(error)}"]
        try:
            check = _columns(connection, checked_query(query.check_sql, tables.names).sql)
        except duckdb.Error as error:
            return [f"check_sql: {_reason(error)}"]
    return [*_result_faults(query, columns), *_check_faults(check)]


def _columns(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, str]:
    return {str(row[0]).lower(): str(row[1]) for row in connection.execute(f"DESCRIBE {sql}").fetchall()}


def _result_faults(query: WrittenQuery, columns: Mapping[str, str]) -> list[str]:
    if len(columns) > MOST_COLUMNS:
        return [f"sql: gives {len(columns)} columns; at most {MOST_COLUMNS} can be shown"]
    if query.key_is is KeyIs.ROW_COUNT:
        return []
    numbers = [name for name, type_ in columns.items() if is_number_type(type_)]
    if query.key_column.lower() in numbers:
        return []
    known = ", ".join(numbers) or "none; use row_count"
    return [f"key_column: {query.key_column!r} is no number column of the result; number columns: {known}"]


def _check_faults(columns: Mapping[str, str]) -> list[str]:
    if len(columns) == 1 and all(map(is_number_type, columns.values())):
        return []
    return ["check_sql: it must give exactly one column, a number: the key figure"]


def _reason(error: duckdb.Error) -> str:
    return " ".join(str(error).split("LINE ")[0].split())[:_LONGEST_REASON]


_TRIALS: dict[str, Callable[[JsonObject, Mapping[str, JsonObject]], list[str]]] = {
    WRITE_QUERY.spec.name: _query_faults,
}
