"""Tables as they leave in files: columns with types, and cells that no spreadsheet takes for a formula."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

Cell = str | int | None
Cells = tuple[Cell, ...]

# A spreadsheet computes a cell that begins so, also in their wide forms; what it skips over may stand before them.
_BEGIN_FORMULAS = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


class ColumnType(StrEnum):
    """What a column holds, by its name in SQL."""

    TEXT = "VARCHAR"
    WHOLE = "BIGINT"
    MONEY = "DECIMAL(18,8)"
    QUANTITY = "DECIMAL(24,6)"
    TIME = "TIMESTAMPTZ"


@dataclass(frozen=True)
class Column:
    """A column of an export."""

    name: str
    type: ColumnType = ColumnType.TEXT


@dataclass(frozen=True)
class ExportTable:
    """Rows that are read once, as they are written."""

    columns: tuple[Column, ...]
    rows: Iterable[Cells]

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [column.name for column in self.columns]

    @property
    def texts(self) -> tuple[int, ...]:
        """The places of the columns that hold text."""
        return tuple(place for place, column in enumerate(self.columns) if column.type is ColumnType.TEXT)


def harmless(cell: Cell) -> Cell:
    """Return a cell of text so that a spreadsheet shows it; the apostrophe before it is not shown."""
    if isinstance(cell, str) and cell.lstrip(" ")[:1] in _BEGIN_FORMULAS:
        return f"'{cell}"
    return cell
