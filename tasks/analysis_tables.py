"""Data sets as typed tables in one file of the query engine, which queries may only read."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from maos.analysis import AnalysisTable, AnalysisTables, TableColumn
from maos.analysis_parameters import TableSource
from maos.datasets import ColumnFacts, ColumnKind, has_identifier
from maos.labels import LONGEST_LABEL, printable
from maos.metrics import DatasetProfile
from maos.query_tables import MOST_LISTED, type_of, values_are_listed
from maos.readings import PLAIN
from maos.settings import Settings
from tasks.datasets import DatasetFile, facts_of, materialise, open_file, unchanged
from tasks.duplicates import create_from_rows, repeated_rows
from tasks.readings import date_of, number_of
from tasks.tables import Table, engine_config, lock, quoted

_YES = "('true', 'yes', 't', 'y')"
# Decimals that a column is kept with, where they are enough for all its numbers; else ten, as they are read.
_DECIMALS = (2, 4, 6)
_MOST_SPILLED = "4GB"


def source_file(source: TableSource, *, org: str, folder: Path, settings: Settings) -> DatasetFile:
    """Return a table's data set as the file that the plan was made for.

    Raises:
        BadInput: when the organisation may not read it.
        EngineFailure: when it has changed since.
    """
    return unchanged(materialise(source.dataset, org=org, folder=folder, settings=settings), source.digest)


def profiled_table(source: TableSource, file: DatasetFile) -> AnalysisTable:
    """Read what a table is: its columns with their types and frequent values, and what is wrong with its rows."""
    with open_file(file) as table:
        facts = facts_of(file, table)
        return AnalysisTable(
            name=source.name,
            profile=DatasetProfile(
                facts=facts,
                duplicate_rows=repeated_rows(table, facts),
                duplicates_dropped=has_identifier(facts),
            ),
            columns=tuple(_column(table, column) for column in facts.columns),
        )


def load_tables(files: Sequence[tuple[AnalysisTable, DatasetFile]], database: Path) -> None:
    """Write the tables into a database file; a row that is the same row twice counts once."""
    for table, file in files:
        with open_file(file, database=str(database)) as open_:
            columns = zip(table.columns, table.profile.facts.columns, strict=True)
            terms = ", ".join(_term(open_, column, facts) for column, facts in columns)
            create_from_rows(open_, table.profile, name=quoted(table.name), terms=terms, temporary=False)


@contextmanager
def locked_database(database: Path, scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database file for queries that can neither write nor reach anything else."""
    with duckdb.connect(str(database), read_only=True, config=engine_config(scratch)) as connection:
        connection.execute(f"SET max_temp_directory_size='{_MOST_SPILLED}'")
        lock(connection)
        yield connection


@contextmanager
def empty_tables(tables: AnalysisTables, scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open tables of these columns without any rows, to find out what a query would give."""
    with duckdb.connect(config=engine_config(scratch)) as connection:
        for table in tables.tables:
            columns = ", ".join(f"{quoted(column.name)} {column.type}" for column in table.columns)
            connection.execute(f"CREATE TABLE {quoted(table.name)} ({columns})")
        lock(connection)
        yield connection


def _column(table: Table, facts: ColumnFacts) -> TableColumn:
    column = table.column(facts.name)
    values: tuple[str, ...] = ()
    if values_are_listed(facts):
        found = table.connection.execute(
            f"SELECT {column} FROM data WHERE {column} IS NOT NULL GROUP BY ALL"  # noqa: S608 - a name of our own
            f" ORDER BY count(*) DESC, {column} LIMIT {MOST_LISTED}"
        ).fetchall()
        values = tuple(printable(value, LONGEST_LABEL) for (value,) in found)
    return TableColumn(name=facts.name, type=type_of(facts, decimals=_decimals(table, column, facts)), values=values)


def _decimals(table: Table, column: str, facts: ColumnFacts) -> int:
    if facts.kind is not ColumnKind.NUMBER or facts.whole:
        return 0
    number = number_of(column, facts.reading or PLAIN)
    terms = ", ".join(f"bool_and({number} = round({number}, {decimals}))" for decimals in _DECIMALS)
    (enough,) = table.connection.execute(f"SELECT {terms} FROM data").fetchall()  # noqa: S608 - no outside text
    return next((decimals for decimals, fits in zip(_DECIMALS, enough, strict=True) if fits), 10)


def _term(table: Table, column: TableColumn, facts: ColumnFacts) -> str:
    text, reading = table.column(column.name), facts.reading or PLAIN
    read = {
        ColumnKind.NUMBER: f"CAST({number_of(text, reading)} AS {column.type})",
        ColumnKind.DATE: date_of(text, reading),
        ColumnKind.BOOLEAN: f"lower({text}) IN {_YES}",
        ColumnKind.TEXT: text,
    }[facts.kind]
    return f"{read} AS {quoted(column.name)}"
