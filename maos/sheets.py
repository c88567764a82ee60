"""Spreadsheets as tables: which row names the columns, which columns there are, and cells as text."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple

Cell = int | float | str | bool | time | date | datetime | timedelta

# Excel itself keeps no more digits than these.
_DIGITS = 15
# Up to here every whole number is exact.
_LARGEST_PLAIN = 2**53


class SheetLayout(NamedTuple):
    """Where the table of a sheet is: the row with its names, its columns, and its rows with any value."""

    header: int
    columns: tuple[int, ...]
    rows: int


def layout_of(rows: Iterable[Sequence[Cell]]) -> SheetLayout | None:
    """Find the table of a sheet, if it has one.

    Names stand in the first row that fills more than half as many cells as the fullest one: what is above is a title.
    """
    counts: list[int] = []
    last_filled: dict[int, int] = {}
    for number, row in enumerate(rows):
        filled = [index for index, cell in enumerate(row) if is_filled(cell)]
        last_filled.update(dict.fromkeys(filled, number))
        counts.append(len(filled))
    fullest = max(counts, default=0)
    if not fullest:
        return None
    header = next(number for number, count in enumerate(counts) if count * 2 > fullest)
    columns = tuple(sorted(index for index, last in last_filled.items() if last >= header))
    return SheetLayout(header, columns, rows=sum(map(bool, counts[header + 1 :])))


def is_filled(cell: Cell) -> bool:
    """Say whether a cell has a value: blanks are none."""
    return not isinstance(cell, str) or bool(cell.strip())


def text_of(cell: Cell) -> str:
    """Return a cell as a CSV file has it: dates as ISO writes them, whole numbers without a point."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return _number(cell)
    if isinstance(cell, datetime):
        return str(cell.date()) if cell.time() == time() else cell.isoformat(sep=" ")
    if isinstance(cell, str):
        # One kind of line end; null bytes are in no text.
        return cell.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return _duration(cell) if isinstance(cell, timedelta) else str(cell)


def _duration(cell: timedelta) -> str:
    minutes, seconds = divmod(int(cell.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _number(cell: float) -> str:
    if cell.is_integer() and abs(cell) < _LARGEST_PLAIN:
        return str(int(cell))
    rounded = f"{cell:.{_DIGITS}g}"
    return f"{Decimal(rounded):f}" if abs(cell) < _LARGEST_PLAIN else rounded
