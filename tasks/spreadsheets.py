"""Spreadsheets become CSV files: one sheet, in a process of its own, within limits of size, memory and time."""

import csv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from maos.errors import BadInput, EngineFailure
from maos.labels import printable
from maos.sheets import SheetLayout, layout_of, text_of
from tasks.apart import limit_memory, run_apart

# How the files begin: those of today are zip archives, those of before 2007 are not.
SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_ALLOWED = "a spreadsheet (.xlsx, .xlsm, .xlsb, .xls, .ods) with a table"
_MOST_BYTES = 100_000_000
_MOST_UNPACKED = 1_000_000_000
_MOST_PARTS = 10_000
_MOST_COLUMNS = 1000
_READING_SECONDS = 300.0
# Held as it is read: the cells of about ten million.
_READING_BYTES = 2 << 30
_MOST_NAMED = 20
# The name of what an encrypted workbook is kept in.
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


class Sheet(NamedTuple):
    """What was made a CSV file of: a sheet, and in which of its rows, counted from one, the names stand."""

    name: str
    header: int


def sheet_as_csv(workbook: Path, target: Path, *, sheet: str, dataset: str) -> Sheet:
    """Write a sheet's table as a CSV file.

    Args:
        sheet: its name; empty: the first one that is shown and has a table.
        dataset: what an error calls the workbook.

    Raises:
        BadInput: when it cannot be read within the limits, or has no such table.
    """

    def convert() -> Sheet:
        limit_memory(_READING_BYTES)
        return _Conversion(workbook, dataset).write(sheet, target)

    try:
        return run_apart(convert, timeout_seconds=_READING_SECONDS)
    except (EngineFailure, MemoryError):
        raise _refusal(dataset, "reading it takes too much time or memory, or it is damaged") from None


class _Conversion(NamedTuple):
    path: Path
    dataset: str

    def write(self, sheet: str, target: Path) -> Sheet:
        self._check()
        try:
            with CalamineWorkbook.from_object(str(self.path.resolve())) as workbook:
                found, layout = self._found(workbook, sheet)
                with target.open("w", encoding="utf-8", newline="") as file:
                    # Each cell in quotation marks: then there is no doubt about the delimiter.
                    csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(_rows(found, layout))
        except CalamineError as error:
            raise _refusal(self.dataset, f"it cannot be read: {printable(str(error), 120)}") from None
        return Sheet(found.name, layout.header + 1)

    def _check(self) -> None:
        if self.path.stat().st_size > _MOST_BYTES:
            raise _refusal(self.dataset, f"it is larger than {_MOST_BYTES:,} bytes")
        content = self.path.read_bytes()
        if not content.startswith(SPREADSHEETS[0]):
            if _ENCRYPTED in content:
                raise _refusal(self.dataset, "it is protected by a password")
            return
        try:
            with zipfile.ZipFile(self.path) as archive:
                parts = archive.infolist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError):
            raise _refusal(self.dataset, "it is a damaged spreadsheet or zip archive") from None
        unpacked = sum(part.file_size for part in parts)
        if unpacked > _MOST_UNPACKED or len(parts) > _MOST_PARTS:
            raise _refusal(self.dataset, f"it unpacks to more than {_MOST_UNPACKED:,} bytes or {_MOST_PARTS:,} parts")
        if not {"xl/workbook.xml", "xl/workbook.bin", "content.xml"} & {part.filename for part in parts}:
            raise _refusal(self.dataset, "it is a zip archive, and no spreadsheet")

    def _found(self, workbook: CalamineWorkbook, name: str) -> tuple[CalamineSheet, SheetLayout]:
        names = [name] if name else _shown_sheets(workbook)
        if name and name not in workbook.sheet_names:
            there = ", ".join(printable(each, 60) for each in workbook.sheet_names[:_MOST_NAMED])
            raise _refusal(self.dataset, f"it has no sheet “{printable(name, 60)}”, but: {there}")
        for each in names:
            sheet = workbook.get_sheet_by_name(each)
            layout = layout_of(sheet.iter_rows())
            if layout and layout.rows:
                if len(layout.columns) > _MOST_COLUMNS:
                    raise _refusal(self.dataset, f"its table has more than {_MOST_COLUMNS:,} columns")
                return sheet, layout
        which = f"the sheet “{printable(name, 60)}”" if name else "no sheet"
        raise _refusal(self.dataset, f"{which} has {'no' if name else 'a'} row below the names of columns")


def _shown_sheets(workbook: CalamineWorkbook) -> list[str]:
    return [
        each.name
        for each in workbook.sheets_metadata
        if each.typ is SheetTypeEnum.WorkSheet and each.visible is SheetVisibleEnum.Visible
    ]


def _rows(sheet: CalamineSheet, layout: SheetLayout) -> Iterator[list[str]]:
    for number, row in enumerate(sheet.iter_rows()):
        cells = [text_of(row[column]) for column in layout.columns] if number >= layout.header else []
        # A row without any value is none.
        if any(cell.strip() for cell in cells):
            yield cells


def _refusal(dataset: str, reason: str) -> BadInput:
    return BadInput("dataset", dataset, f"{_ALLOWED} ({reason})")
