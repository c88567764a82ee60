"""Comparing a vendor's own usage export with what the ledger counted."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from maos.billing_months import BillingMonth
from maos.errors import BadInput
from maos.usage_comparison import Difference, VendorSums, differences
from maos.vendor_usage import (
    KNOWN_FORMS,
    Measure,
    VendorForm,
    VendorRow,
    form_of,
    is_no_model,
    matcher,
    model_key,
    row_of,
)
from sql import vendor_usage
from sql.session import system_session

if TYPE_CHECKING:
    from _csv import Reader

# What a console writes above the table.
_MOST_LINES_BEFORE_HEADER = 30
_MOST_FAULTS = 100


@dataclass(frozen=True)
class RowFault:
    """A line of the export that says nothing."""

    line: int
    reason: str


@dataclass
class Compared:
    """What comparing came to."""

    differences: list[Difference] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)
    unreadable: int = 0
    rows: int = 0
    other_services: int = 0
    other_months: int = 0
    calls_without_usage: int = 0

    def note_fault(self, fault: RowFault) -> None:
        """Count a line that cannot be read; the first of them are kept."""
        self.unreadable += 1
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(fault)

    @property
    def agree(self) -> bool:
        """Whether nothing differs and every line was read."""
        return not self.differences and not self.unreadable


def compare(file: Path, month: BillingMonth, form: VendorForm | None, aliases: Mapping[str, str]) -> Compared:
    """List where a vendor's export and our calls of a month differ, by day and model.

    Args:
        form: how the export is written; None: as one of the known ones.
        aliases: the vendor's names of models, with ours.

    Raises:
        BadInput: when the file has no header that is known.
    """
    found = Compared()
    # What is no text cannot be a figure, and is no reason to read nothing.
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        rows = csv.reader(lines)
        header, form = _header(rows, form, file)
        ours = _ours(month, form, found)
        model_of = matcher(form, sorted({model for _, model in ours}), _by_key(aliases))
        vendors: defaultdict[tuple[date, str], VendorSums] = defaultdict(VendorSums)
        for row in _rows(rows, header, form, found):
            model = model_of(row.model)
            if model is None:
                found.other_services += 1
            elif BillingMonth(row.day.replace(day=1)) != month:
                found.other_months += 1
            else:
                found.rows += 1
                vendors[row.day, model].add(row.figures)
    found.differences = list(differences(ours, vendors, form.measures))
    return found


def _by_key(aliases: Mapping[str, str]) -> dict[str, str]:
    return {model_key(theirs): model_key(ours) for theirs, ours in aliases.items()}


def _ours(
    month: BillingMonth, form: VendorForm, found: Compared
) -> Mapping[tuple[date, str], Mapping[Measure, Decimal]]:
    with system_session() as session:
        used = vendor_usage.used_by_day(month, form.timezone, session=session)
        found.calls_without_usage = vendor_usage.calls_without_usage(month, form.timezone, session=session)
    sums: defaultdict[tuple[date, str], defaultdict[Measure, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for (day, model), figures in used.items():
        key = model_key(model)
        for measure, figure in figures.items() if key.startswith(form.prefix) else ():
            sums[day, key][measure] += figure
    return sums


def _header(rows: "Reader", form: VendorForm | None, file: Path) -> tuple[list[str], VendorForm]:
    seen: list[str] = []
    for row, _ in zip(rows, range(_MOST_LINES_BEFORE_HEADER), strict=False):
        header = [name.strip() for name in row]
        seen = seen or header
        known = form_of(header) if form is None else form
        if known and known.fits(header):
            return header, known
    wanted = (form,) if form else KNOWN_FORMS
    columns = " | ".join(", ".join(name for names in each.columns.values() for name in names) for each in wanted)
    raise BadInput(str(file), ", ".join(seen) or "no line", f"a line with these columns: {columns}")


def _rows(rows: "Reader", header: list[str], form: VendorForm, found: Compared) -> Iterator[VendorRow]:
    while True:
        try:
            row = next(rows, None)
            if row is None:
                return
            if not any(cell.strip() for cell in row):
                continue
            cells = _cells(row, header)
            if is_no_model(form, cells):
                found.other_services += 1
            else:
                yield row_of(form, cells)
        except (ValueError, csv.Error) as error:
            found.note_fault(RowFault(rows.line_num, str(error)))


def _cells(row: list[str], header: list[str]) -> dict[str, str]:
    if len(row) != len(header):
        raise ValueError(f"{len(row)} columns instead of {len(header)}")
    return dict(zip(header, row, strict=True))
