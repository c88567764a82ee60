"""Statements and the entries behind them as files: CSV, JSON, Parquet, and a page for people; never whole in memory."""

import csv
import io
import json
import os
from collections.abc import Iterator
from enum import StrEnum
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import duckdb

from maos.billing import Statement
from maos.billing_months import BillingMonth
from maos.errors import StackError
from maos.export_tables import Cells, ExportTable, harmless
from maos.statement_page import page_of
from maos.statement_tables import ENTRY_COLUMNS, lines_table
from sql import billing
from sql.session import org_session

_WRITTEN_AT_ONCE = 2000
# It writes as it reads, and needs no more.
_PARQUET_WRITER: dict[str, str | bool | int | float | list[str]] = {"memory_limit": "256MB", "threads": 1}


class ExportFormat(StrEnum):
    """How a statement leaves."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"
    HTML = "html"


def statement_bytes(statement: Statement, format_: ExportFormat) -> Iterator[bytes]:
    """Yield a statement in a format that is text: its lines, all of it, or the page."""
    if format_ is ExportFormat.HTML:
        yield page_of(statement).encode()
    elif format_ is ExportFormat.JSON:
        whole = statement.document() | {"digest": statement.digest}
        yield f"{json.dumps(whole, indent=2, ensure_ascii=False)}\n".encode()
    else:
        yield from _csv(lines_table(statement))


def entries_table(org_id: UUID, month: BillingMonth) -> ExportTable:
    """Return the entries that a month bills, read through a cursor as they are taken."""
    return ExportTable(ENTRY_COLUMNS, _entries(org_id, month))


def entries_bytes(org_id: UUID, month: BillingMonth, format_: ExportFormat) -> Iterator[bytes]:
    """Yield the entries that a month bills, in a format that is text."""
    table = entries_table(org_id, month)
    yield from _json(table) if format_ is ExportFormat.JSON else _csv(table)


def write_parquet(table: ExportTable, file: Path) -> int:
    """Write a table as a Parquet file, whole or not at all; return how many rows it has.

    Raises:
        StackError: when the file has not as many rows as were written.
    """
    # Beside the file: from there it can take its place in one step.
    with TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as scratch:
        rows_file, part = Path(scratch) / "rows.csv", Path(scratch) / "part"
        counted = _Counted(table)
        with rows_file.open("wb") as plain:
            plain.writelines(_csv(counted.table, guarded=False))
        with duckdb.connect(":memory:", config=_PARQUET_WRITER | {"temp_directory": scratch}) as connection:
            types = {column.name: column.type.value for column in table.columns}
            read = connection.read_csv(str(rows_file), header=True, dtype=types, sep=",", quotechar='"')
            read.write_parquet(str(part), compression="zstd")
            written = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(part)]).fetchone()
        if written != (counted.rows,):
            raise StackError("export", f"{file}: {counted.rows} rows were to be written, and {written} were")
        with part.open("rb") as done:
            os.fsync(done.fileno())
        part.replace(file)
    return counted.rows


class _Counted:
    """A table whose rows are counted as they are read."""

    def __init__(self, table: ExportTable) -> None:
        self.rows = 0
        self.table = ExportTable(table.columns, self._each(table))

    def _each(self, table: ExportTable) -> Iterator[Cells]:
        for row in table.rows:
            self.rows += 1
            yield row


def _entries(org_id: UUID, month: BillingMonth) -> Iterator[Cells]:
    with org_session(org_id) as session:
        yield from billing.entries_of(org_id, month, session=session)


def _csv(table: ExportTable, *, guarded: bool = True) -> Iterator[bytes]:
    """Yield a table as CSV.

    Args:
        guarded: whether a spreadsheet may open it; for programs that read it back, cells stay as they are.
    """
    buffer, texts = io.StringIO(), table.texts if guarded else ()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table.names)
    rows = iter(table.rows)
    while True:
        batch = list(islice(rows, _WRITTEN_AT_ONCE))
        writer.writerows(_harmless(row, texts) for row in batch)
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
        if len(batch) < _WRITTEN_AT_ONCE:
            return


def _harmless(row: Cells, texts: tuple[int, ...]) -> list[str | int | None]:
    cells = list(row)
    for place in texts:
        cells[place] = harmless(cells[place])
    return cells


def _json(table: ExportTable) -> Iterator[bytes]:
    names, before = table.names, "["
    for row in table.rows:
        yield f"{before}\n{json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False)}".encode()
        before = ","
    yield b"[]\n" if before == "[" else b"\n]\n"
