"""A vendor's own usage export: which of its columns mean what, and what a row of it says."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from maos.errors import BadInput


class Measure(StrEnum):
    """What is compared, day by day and model by model."""

    INPUT = "input_tokens"
    OUTPUT = "output_tokens"
    CACHE_READ = "cache_read_tokens"
    CACHE_WRITE = "cache_write_tokens"
    COST = "list_cost_usd"


# Of an export with a row for each kind of token: which kind, and how many.
_BY_KIND = ("kind", "amount")


@dataclass(frozen=True)
class VendorForm:
    """How an export is written: the columns that each thing stands in, several of which are added up."""

    columns: Mapping[str, tuple[str, ...]]
    # Only models whose names begin so; the vendor's other services are none of ours.
    prefix: str = ""
    timezone: str = "UTC"
    # A vendor that bills in names of goods: the model is that of ours whose name is a part of them.
    names_goods: bool = False
    # The column of a row's last day, where an export has it: what covers several says nothing of one.
    last_day: str | None = None

    def fits(self, header: Sequence[str]) -> bool:
        """Say whether an export of this header is written so."""
        return all(name in header for names in self.columns.values() for name in names)

    @property
    def measures(self) -> frozenset[Measure]:
        """What it can be compared by."""
        found = {measure for measure in Measure if measure in self.columns}
        tokens = {Measure.INPUT, Measure.OUTPUT, Measure.CACHE_READ} if "amount" in self.columns else set()
        return frozenset(found | tokens)


# The exports of the vendors' consoles, as they are downloaded.
KNOWN_FORMS: tuple[VendorForm, ...] = (
    VendorForm(
        {
            "date": ("usage_date_utc",),
            "model": ("model_version",),
            Measure.INPUT: ("usage_input_tokens_no_cache",),
            Measure.CACHE_WRITE: ("usage_input_tokens_cache_write_5m", "usage_input_tokens_cache_write_1h"),
            Measure.CACHE_READ: ("usage_input_tokens_cache_read",),
            Measure.OUTPUT: ("usage_output_tokens",),
        },
        prefix="claude-",
    ),
    VendorForm({"date": ("usage_date_utc",), "model": ("model",), Measure.COST: ("list_price_usd",)}, prefix="claude-"),
    VendorForm({"date": ("usage_date_utc",), "model": ("model",), Measure.COST: ("cost_usd",)}, prefix="claude-"),
    *(
        VendorForm(
            {
                "date": ("Usage start date",),
                "model": ("SKU description",),
                "kind": ("SKU description",),
                "amount": ("Usage amount",),
                Measure.COST: (cost,),
            },
            prefix="gemini-",
            # This vendor's days are those of its own place.
            timezone="America/Los_Angeles",
            names_goods=True,
            last_day="Usage end date",
        )
        for cost in ("Unrounded cost ($)", "Unrounded Cost ($)", "Cost ($)")
    ),
)
FIELDS = ("date", "model", *(measure.value for measure in Measure), *_BY_KIND)


def chosen_form(columns: Mapping[str, tuple[str, ...]], *, prefix: str, timezone: str | None) -> VendorForm | None:
    """Return the form that somebody describes column by column, or None where they describe none.

    Raises:
        BadInput: when the description names what is not known, or too little.
    """
    if not columns:
        return None
    for name in columns:
        if name not in FIELDS:
            raise BadInput("column", name, ", ".join(FIELDS))
    if not {"date", "model"} <= columns.keys() or columns.keys() <= {"date", "model", "kind"}:
        raise BadInput("column", ", ".join(columns), "date, model, and at least one thing to compare")
    if ("kind" in columns) != ("amount" in columns):
        raise BadInput("column", ", ".join(columns), "kind and amount together")
    return VendorForm(columns, prefix=model_key(prefix), timezone=_known_zone(timezone or "UTC"))


def _known_zone(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput("timezone", name, "a name such as UTC or America/Los_Angeles") from None


def form_of(header: Sequence[str]) -> VendorForm | None:
    """Return the known form that a header is of."""
    return next((form for form in KNOWN_FORMS if form.fits(header)), None)


def model_key(name: str) -> str:
    """Return a model's name as it is compared: `Claude Opus 4.5` and `claude-opus-4-5-20251101` are the same."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ("-" if name.endswith("-") else "")
    return re.sub(r"-20\d{2}-?\d{2}-?\d{2}$", "", plain)


@dataclass(frozen=True)
class VendorRow:
    """What one row of an export says, each figure with half a unit of its last digit: it is known no better."""

    day: date
    model: str
    figures: Mapping[Measure, tuple[Decimal, Decimal]]


def is_no_model(form: VendorForm, cells: Mapping[str, str]) -> bool:
    """Say whether a row is of no goods at all: a subtotal, a tax, a total."""
    return form.names_goods and not cells[form.columns["model"][0]].strip()


def row_of(form: VendorForm, cells: Mapping[str, str]) -> VendorRow:
    """Read a row.

    Raises:
        ValueError: with what is wrong with it.
    """
    day = _day(cells[form.columns["date"][0]], form.columns["date"][0])
    _refuse_several_days(form, cells, day)
    name = cells[form.columns["model"][0]].strip()
    if not name:
        raise ValueError(f"{form.columns['model'][0]} is empty")
    figures: dict[Measure, tuple[Decimal, Decimal]] = {}
    for measure in Measure:
        if names := form.columns.get(measure):
            read = [_figure(cells[column], column) for column in names]
            figures[measure] = sum((f for f, _ in read), Decimal(0)), sum((e for _, e in read), Decimal(0))
    if "amount" in form.columns and (kind := _kind_of(cells[form.columns["kind"][0]])):
        amount, _ = _figure(cells[form.columns["amount"][0]], form.columns["amount"][0])
        figures[kind] = amount, Decimal(0)
    return VendorRow(day, model_key(name), figures)


def _refuse_several_days(form: VendorForm, cells: Mapping[str, str], day: date) -> None:
    if form.last_day and form.last_day in cells:
        last = _day(cells[form.last_day], form.last_day)
        if last - day > timedelta(days=1):
            raise ValueError(f"{form.last_day}: it covers the days until {last}; export it day by day")


def _day(text: str, column: str) -> date:
    try:
        return datetime.fromisoformat(text.strip()).date()
    except ValueError:
        raise ValueError(f"{column}: {text!r} is no date such as 2026-11-01") from None


def _figure(text: str, column: str) -> tuple[Decimal, Decimal]:
    plain = text.strip().replace(",", "").removeprefix("$") or "0"
    try:
        figure = Decimal(plain)
    except InvalidOperation:
        figure = Decimal("NaN")
    if not figure.is_finite():
        raise ValueError(f"{column}: {text!r} is no number")
    exponent = figure.as_tuple().exponent
    # A whole number is exact; what has decimals was rounded at the last one.
    unit = Decimal(1).scaleb(exponent) if isinstance(exponent, int) and exponent < 0 else Decimal(0)
    return figure, unit / 2


_KINDS: tuple[tuple[str, Measure], ...] = (
    ("cach", Measure.CACHE_READ),
    ("output", Measure.OUTPUT),
    ("input", Measure.INPUT),
)


def _kind_of(text: str) -> Measure | None:
    """Return the kind of token that goods are named after, if they are tokens."""
    words = text.lower()
    if "token" not in words and words not in {measure.value for measure in Measure}:
        return None
    return next((measure for word, measure in _KINDS if word in words), None)


def matcher(form: VendorForm, ours: Sequence[str], aliases: Mapping[str, str]) -> Callable[[str], str | None]:
    """Return what says which model a row is of; None: of another service.

    Args:
        ours: our models, by their keys.
        aliases: the vendor's names, by their keys, with ours.
    """
    longest_first = sorted(ours, key=len, reverse=True)

    def model_of(key: str) -> str | None:
        if key in aliases:
            return aliases[key]
        if form.names_goods:
            found = next((each for each in longest_first if f"-{each}-" in f"-{key}-"), None)
            return found or (key if f"-{form.prefix}" in f"-{key}" else None)
        return key if key.startswith(form.prefix) else None

    return model_of
