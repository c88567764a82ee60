"""Data sets as tables of a query: their names, the types of their columns, and what a writer is told of them."""

import json
import re
from collections.abc import Iterable, Sequence

from maos.actions import JsonObject
from maos.analysis import AnalysisTable, AnalysisTables, TableColumn
from maos.dataset_notes import named
from maos.datasets import ColumnFacts, ColumnKind, DatasetFacts
from maos.labels import LONGEST_LABEL, distinct_names
from maos.metrics import DatasetProfile

# A column with more values than this holds names, not groups.
_MOST_VALUES = 40
MOST_LISTED = 12
_LONGEST_NAME = 40
# Numbers are read with up to 18 digits before the point.
_DIGITS = 18


def table_names(facts: Sequence[DatasetFacts]) -> tuple[str, ...]:
    """Return what queries call these data sets: `2025 Orders.csv` is `t_2025_orders`."""
    return distinct_names(_table_name(each.display_name) for each in facts)


def _table_name(file: str) -> str:
    stem = file.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    words = "_".join(re.findall(r"[a-z0-9]+", stem.lower()))[:_LONGEST_NAME].strip("_")
    # `data` is what a file is called while it is read.
    bare = words and not words[0].isdigit() and words != "data"
    return words if bare else f"t_{words}".rstrip("_")


def type_of(column: ColumnFacts, *, decimals: int) -> str:
    """Return the SQL type of a column, for numbers of so many decimals."""
    if column.kind is ColumnKind.NUMBER:
        return "BIGINT" if column.whole else f"DECIMAL({_DIGITS + decimals}, {decimals})"
    return {ColumnKind.DATE: "DATE", ColumnKind.BOOLEAN: "BOOLEAN"}.get(column.kind, "VARCHAR")


def values_are_listed(column: ColumnFacts) -> bool:
    """Say whether a column's most frequent values tell what it is about."""
    return column.kind is ColumnKind.TEXT and 0 < column.distinct <= _MOST_VALUES


def told_tables(tables: AnalysisTables, *, most_bytes: int) -> str:
    """Return what a writer is told of the tables, without values where it would be longer than allowed."""
    whole = _told(tables.tables, values=True)
    return whole if len(whole.encode()) <= most_bytes else _told(tables.tables, values=False)


def longest_told_tables(facts: Iterable[tuple[str, DatasetFacts]], *, values: bool) -> int:
    """Return how many bytes of UTF-8 a writer can be told at most of tables with these names and facts.

    Args:
        values: with the frequent values of columns, which are left out where there is no room for them.
    """
    longest = [
        AnalysisTable(
            name=name,
            profile=DatasetProfile(facts=each, duplicate_rows=each.row_count, duplicates_dropped=False),
            columns=tuple(_longest_column(column) for column in each.columns),
        )
        for name, each in facts
    ]
    return len(_told(longest, values=values).encode())


def _longest_column(facts: ColumnFacts) -> TableColumn:
    # An angle bracket arrives as six bytes; no other character of a label needs more.
    listed = min(facts.distinct, MOST_LISTED) if values_are_listed(facts) else 0
    return TableColumn(name=facts.name, type=type_of(facts, decimals=10), values=("<" * LONGEST_LABEL,) * listed)


def _told(tables: Iterable[AnalysisTable], *, values: bool) -> str:
    given = [
        {
            "table": table.name,
            "file": named(table.profile.facts),
            "rows": table.profile.counted_rows,
            "columns": [
                _told_column(column, facts, values=values)
                for column, facts in zip(table.columns, table.profile.facts.columns, strict=True)
            ],
        }
        for table in tables
    ]
    return as_data(given)


def _told_column(column: TableColumn, facts: ColumnFacts, *, values: bool) -> JsonObject:
    said: JsonObject = {"name": column.name, "type": column.type, "different": facts.distinct}
    said |= {"null": facts.missing + facts.unparsable} if facts.missing + facts.unparsable else {}
    said |= {"from": facts.minimum, "to": facts.maximum} if facts.minimum is not None else {}
    return said | ({"most_frequent": list(column.values)} if values and column.values else {})


def as_data(given: object) -> str:
    """Return data as JSON for a prompt; no value can close the section it stands in."""
    text = json.dumps(given, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e")
