"""Opens one data file as a table of text columns, in a query engine that can reach nothing else."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from maos.datasets import DatasetFormat
from maos.errors import BadInput
from maos.labels import distinct_names
from tasks.csv_files import LONGEST_VALUE, CsvFile, NotCsv, as_lines, settle
from tasks.known_contents import KnownContents

_THREADS = 2
MEMORY = "1GB"
IN_MEMORY = ":memory:"
_LONGEST_REASON = 160
_LONGEST_LINE = 2_097_152
_ALLOWED = "a readable CSV (UTF-8), Parquet or JSON file that holds a table with at least one row"
_JSON_OPTIONS = "records=true, maximum_depth=1, sample_size=-1, map_inference_threshold=-1, compression='none'"
# How a column of each format becomes text. Casting JSON would keep the quotation marks of strings.
_AS_TEXT: dict[DatasetFormat, str] = {
    DatasetFormat.CSV: "{column}",
    # Null bytes cannot be stored as text; a CSV file that has them is refused.
    DatasetFormat.PARQUET: "replace(CAST({column} AS VARCHAR), chr(0), '')",
    DatasetFormat.JSON: "replace({column} ->> '$', chr(0), '')",
}
# Trimming is slow: only what begins or ends with white space goes that way.
_TRIMMED = (
    "CASE WHEN {text}[1] > ' ' AND {text}[-1] > ' ' THEN {text}"
    " ELSE nullif(trim({text}, ' ' || chr(9) || chr(10) || chr(13)), '') END"
)
# Plain files of which the query engine has found as many rows as they have lines.
_PLAIN: KnownContents[CsvFile] = KnownContents()


@dataclass(frozen=True)
class Table:
    """An open data set: its view `data` has the columns `c0`, `c1`, ... as trimmed text, null where blank.

    Its view `raw` has them as `r0`, `r1`, ... as they lie in the file; `texts` says in SQL how each becomes its text.
    """

    connection: duckdb.DuckDBPyConnection
    names: tuple[str, ...]
    unreadable: int
    texts: tuple[str, ...]

    def column(self, name: str) -> str:
        """Return the column of `data` that holds the data set's column."""
        return f"c{self.names.index(name)}"


@contextmanager
def open_table(
    path: Path, *, dataset: str, format_: DatasetFormat, database: str = IN_MEMORY, content: str = ""
) -> Iterator[Table]:
    """Open a file for queries, for as long as the context lasts.

    Args:
        content: what tells its content from others, if that is known.
        database: the file in which tables that are made of it stay.

    Raises:
        BadInput: when the file is no table, or turns out unreadable during a query.
    """
    with TemporaryDirectory(prefix="maos-table-") as folder:
        # A name of our own: the engine would expand wildcards in the file's name.
        link = Path(folder) / f"data.{format_.value}"
        link.symlink_to(path)
        try:
            with _opened(link, format_, database, content) as table:
                yield table
        except (NotCsv, duckdb.Error) as error:
            # Damage behind a file's first bytes shows only when a query gets there.
            reason = str(error).replace(folder, "").partition("\n")[0][:_LONGEST_REASON]
            raise BadInput("dataset", dataset, f"{_ALLOWED} ({reason})") from error


def _opened(link: Path, format_: DatasetFormat, database: str, content: str) -> AbstractContextManager[Table]:
    if format_ is DatasetFormat.CSV:
        return _open_csv(link, link.parent, database, content)
    return (_open_parquet if format_ is DatasetFormat.PARQUET else _open_json)(link, link.parent, database)


@contextmanager
def _open_csv(path: Path, scratch: Path, database: str, content: str) -> Iterator[Table]:
    known = _PLAIN.get(content)
    with ExitStack() as stack:
        try:
            file = replace(known, path=path) if known else as_lines(path)
            opening = _csv_table(file, scratch, database, longest=LONGEST_VALUE, is_counted=known is not None)
            table = stack.enter_context(opening)
            _PLAIN.keep(content, file)
        except (NotCsv, duckdb.InvalidInputException):
            table = stack.enter_context(_csv_table(settle(path, scratch), scratch, database))
        yield table


@contextmanager
def _csv_table(
    file: CsvFile, scratch: Path, database: str, *, longest: int = _LONGEST_LINE, is_counted: bool = False
) -> Iterator[Table]:
    with _locked_connection(file.path, scratch, database) as connection:
        columns = [f"c{index}" for index in range(len(file.names))]
        types = ", ".join(f"'{column}': 'VARCHAR'" for column in columns)
        source = (
            f"read_csv({_literal(str(file.path))}, auto_detect=false, header=true, delim={_literal(file.delimiter)},"
            f" quote='\"', escape='\"', comment='', compression='none', max_line_size={longest}, columns={{{types}}})"
        )
        texts = _create_views(connection, source, columns, DatasetFormat.CSV)
        if not is_counted and connection.execute("SELECT count(*) FROM data").fetchall() != [(file.rows,)]:
            raise NotCsv("its rows cannot be told apart")
        yield Table(connection, file.names, file.unreadable, texts)


@contextmanager
def _open_parquet(path: Path, scratch: Path, database: str) -> Iterator[Table]:
    with _locked_connection(path, scratch, database) as connection:
        yield _described(connection, f"read_parquet({_literal(str(path))})", DatasetFormat.PARQUET)


@contextmanager
def _open_json(path: Path, scratch: Path, database: str) -> Iterator[Table]:
    with _locked_connection(path, scratch, database) as connection:
        yield _described(connection, f"read_json({_literal(str(path))}, {_JSON_OPTIONS})", DatasetFormat.JSON)


def engine_config(scratch: Path) -> dict[str, str | bool | int | float | list[str]]:
    """Return what every query engine of ours is started with: its limits, and no extensions."""
    return {
        "threads": _THREADS,
        "memory_limit": MEMORY,
        "temp_directory": str(scratch / "spill"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        # A name that is no table must not be looked up among the variables of this program.
        "python_enable_replacements": False,
    }


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Let queries reach nothing but what is open, from here on."""
    for setting in ("TimeZone='UTC'", "enable_external_access=false", "lock_configuration=true"):
        connection.execute(f"SET {setting}")


@contextmanager
def _locked_connection(path: Path, scratch: Path, database: str) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(database, config=engine_config(scratch)) as connection:
        connection.execute(f"SET allowed_paths=[{_literal(str(path))}]")
        lock(connection)
        yield connection


def _described(connection: duckdb.DuckDBPyConnection, source: str, format_: DatasetFormat) -> Table:
    found = [str(row[0]) for row in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]  # noqa: S608
    texts = _create_views(connection, source, [quoted(name) for name in found], format_)
    return Table(connection, distinct_names(found), 0, texts)


def _create_views(
    connection: duckdb.DuckDBPyConnection, source: str, columns: list[str], format_: DatasetFormat
) -> tuple[str, ...]:
    """Create the views of a table, and return how the values of `raw` become those of `data`."""
    raw = ", ".join(f"{column} AS r{index}" for index, column in enumerate(columns))
    texts = tuple(_TRIMMED.format(text=_AS_TEXT[format_].format(column=f"r{i}")) for i in range(len(columns)))
    selected = ", ".join(f"{text} AS c{index}" for index, text in enumerate(texts))
    connection.execute(f"CREATE TEMP VIEW raw AS SELECT {raw} FROM {source}")  # noqa: S608 - every name is quoted
    connection.execute(f"CREATE TEMP VIEW data AS SELECT {selected} FROM raw")  # noqa: S608 - names of our own
    return texts


def quoted(name: str) -> str:
    """Return a name as queries write it, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
