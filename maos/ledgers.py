"""Two ledgers of the same entries, compared key by key: what only one of them has, and what they say differently."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from maos.errors import BadInput
from maos.rendering import TemplateText

MOST_DIFFERENCES = 200
_LONGEST_CELL, _LONGEST_KEY = 60, 120


class CompareLedgersParameters(BaseModel):
    """Which tables are compared, and how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    left: str = Field(description="The input that names the one table.", min_length=1)
    right: str = Field(description="The input that names the other table.", min_length=1)
    key: Annotated[TemplateText, Field(min_length=1, max_length=500)] = Field(
        description="The columns that say which entry a row is, with commas between them."
    )
    amount: Annotated[TemplateText, Field(min_length=1, max_length=200)] = Field(description="The column of amounts.")


class DifferenceKind(StrEnum):
    """How two ledgers disagree about an entry."""

    ONLY_LEFT = "only_left"
    ONLY_RIGHT = "only_right"
    AMOUNT = "amount"
    FIELD = "field"
    REPEATED = "repeated"
    UNREADABLE = "unreadable"


class LedgerDifference(BaseModel):
    """One thing that two ledgers do not say alike."""

    model_config = ConfigDict(frozen=True)

    number: int = Field(ge=1)
    kind: DifferenceKind
    key: str
    column: str = ""
    left: str | None = None
    right: str | None = None
    by: Decimal | None = Field(default=None, description="What the left has more than the right.")
    left_line: int | None = Field(default=None, description="Line of the file, the header being 1.")
    right_line: int | None = None


class LedgerComparison(BaseModel):
    """What a comparison of two ledgers found."""

    model_config = ConfigDict(frozen=True)

    left_rows: int
    right_rows: int
    agreeing: int = Field(description="Entries of which both say the same.")
    left_total: Decimal
    right_total: Decimal
    total_difference: Decimal
    accounted_for: Decimal = Field(description="What the differences come to; the total where nothing is left open.")
    differences: tuple[LedgerDifference, ...]
    not_shown: int = Field(default=0, ge=0, description="Differences beyond those listed.")


@dataclass(frozen=True)
class _Row:
    line: int
    cells: Mapping[str, str]
    amount: Decimal | None


@dataclass(frozen=True)
class _Ledger:
    name: str
    columns: tuple[str, ...]
    rows: Mapping[str, Sequence[_Row]]

    @property
    def count(self) -> int:
        return sum(map(len, self.rows.values()))

    @property
    def total(self) -> Decimal:
        return sum((row.amount or Decimal(0) for rows in self.rows.values() for row in rows), start=Decimal(0))


def compare_ledgers(left: str, right: str, asked: CompareLedgersParameters) -> LedgerComparison:
    """Compare two CSV texts: every entry that is not the same in both is a difference.

    Raises:
        BadInput: when a text is no CSV with the columns that were asked for.
    """
    one, other = _ledger(asked.left, left, asked), _ledger(asked.right, right, asked)
    found: list[LedgerDifference] = []
    agreeing = 0
    for key in [*one.rows, *(key for key in other.rows if key not in one.rows)]:
        differences = list(
            _differences(key, one.rows.get(key, ()), other.rows.get(key, ()), _shared(one, other), asked)
        )
        agreeing += not differences
        found += differences
    numbered = [each.model_copy(update={"number": number}) for number, each in enumerate(found, start=1)]
    return LedgerComparison(
        left_rows=one.count,
        right_rows=other.count,
        agreeing=agreeing,
        left_total=one.total,
        right_total=other.total,
        total_difference=one.total - other.total,
        accounted_for=sum((each.by or Decimal(0) for each in found), start=Decimal(0)),
        differences=tuple(numbered[:MOST_DIFFERENCES]),
        not_shown=max(0, len(numbered) - MOST_DIFFERENCES),
    )


def _ledger(name: str, text: str, asked: CompareLedgersParameters) -> _Ledger:
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    keys = [column.strip() for column in asked.key.split(",")]
    rows: dict[str, list[_Row]] = {}
    try:
        header = tuple(column.strip() for column in next(lines, []))
        if missing := [column for column in (*keys, asked.amount.strip()) if column not in header]:
            raise BadInput(name, ", ".join(missing), f"columns of the table: {', '.join(header) or 'none'}")
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise BadInput(name, f"line {lines.line_num}", f"{len(header)} cells, as in the header")
            row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
            key = " / ".join(row[column] for column in keys)
            rows.setdefault(key, []).append(_Row(lines.line_num, row, amount_of(row[asked.amount.strip()])))
    except csv.Error as error:
        raise BadInput(name, f"line {lines.line_num}", f"CSV with commas ({error})") from None
    return _Ledger(name, header, rows)


def amount_of(text: str) -> Decimal | None:
    """Return an amount, or None where it cannot be told what it is: 1,234 may be either of two."""
    plain = text.replace(" ", "").replace("\N{NO-BREAK SPACE}", "").replace("'", "")
    head, _, tail = plain.rpartition(",")
    if head and "." in tail and len(tail.partition(".")[0]) == 3:
        plain = plain.replace(",", "")
    elif head and len(tail) in (1, 2) and "," not in head:
        plain = f"{head.replace('.', '')}.{tail}"
    try:
        found = Decimal(plain)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _shared(one: _Ledger, other: _Ledger) -> list[str]:
    return [column for column in one.columns if column in other.columns]


def _differences(
    key: str, left: Sequence[_Row], right: Sequence[_Row], columns: Sequence[str], asked: CompareLedgersParameters
) -> Iterator[LedgerDifference]:
    """Yield what is different about one entry; of entries that stand several times, each row beyond the other's."""
    column = asked.amount.strip()
    for mine, theirs in zip(left, right, strict=False):
        yield from _of_pair(key, mine, theirs, columns, column)
    for rows, others, sign in ((left, right, 1), (right, left, -1)):
        for row in rows[len(others) :]:
            yield _unpaired(key, row, column, sign=sign, repeated=bool(others))


def _of_pair(key: str, mine: _Row, theirs: _Row, columns: Sequence[str], amount: str) -> Iterator[LedgerDifference]:
    lines = {"left_line": mine.line, "right_line": theirs.line}
    for column in columns:
        left, right = mine.cells[column], theirs.cells[column]
        shown = {"column": column, "left": left[:_LONGEST_CELL], "right": right[:_LONGEST_CELL]}
        if column != amount and left != right:
            yield LedgerDifference(number=1, kind=DifferenceKind.FIELD, key=key[:_LONGEST_KEY], **shown, **lines)
        if column != amount or mine.amount == theirs.amount is not None:
            continue
        readable = mine.amount is not None and theirs.amount is not None
        kind = DifferenceKind.AMOUNT if readable else DifferenceKind.UNREADABLE
        by = (mine.amount or Decimal(0)) - (theirs.amount or Decimal(0))
        yield LedgerDifference(number=1, kind=kind, key=key[:_LONGEST_KEY], by=by, **shown, **lines)


def _unpaired(key: str, row: _Row, column: str, *, sign: int, repeated: bool) -> LedgerDifference:
    side = "left" if sign > 0 else "right"
    alone = DifferenceKind.ONLY_LEFT if sign > 0 else DifferenceKind.ONLY_RIGHT
    kind = DifferenceKind.REPEATED if repeated else alone
    said = {side: row.cells[column][:_LONGEST_CELL], f"{side}_line": row.line}
    if row.amount is None:
        kind = DifferenceKind.UNREADABLE
    by = sign * row.amount if row.amount is not None else None
    about = {"number": 1, "kind": kind, "key": key[:_LONGEST_KEY], "column": column, "by": by}
    return LedgerDifference.model_validate({**about, **said})
