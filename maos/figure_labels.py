"""Labels of the data that contain digits, which are no figures: `SKU-12`, `2025-03`, `Q3 2024`."""

import re
from collections.abc import Iterable, Iterator
from datetime import date

from maos.comparison import Comparison
from maos.labels import phrase, printable
from maos.metrics import DatasetProfile, Metrics, Trend
from maos.periods import MONTHS, Grain, label_of, name_of

_PLACEHOLDER = "\N{WHITE RECTANGLE}"
# Digits with one of these behind them are a figure, whatever label they look like.
_UNITS = r"percent|per cent|thousand|million|billion|trillion|mn|bn|tn|k|K|M|B"
_NO_UNIT = rf"(?!\w|[.,/][0-9]|-[0-9]{{1,2}}(?![0-9])|\s?%|\s?(?:{_UNITS})\b)"


def labels_of(profile: DatasetProfile, metrics: Metrics) -> frozenset[str]:
    """Return the labels of the data, as they are and as they are shown."""
    names = [profile.facts.display_name, *(column.name for column in profile.facts.columns)]
    limits = [text for column in profile.facts.columns for text in (column.minimum, column.maximum) if _is_day(text)]
    values = [part.value for breakdown in metrics.breakdowns for part in breakdown.slices if part.value is not None]
    periods = _period_names(metrics.trend) if metrics.trend else ()
    compared = _compared_names(metrics.comparison) if metrics.comparison else ()
    forms = (
        form
        for label in (*names, *limits, *values, *periods, *compared)
        for form in (label, printable(label), phrase(label))
    )
    return frozenset(form for form in forms if form)


def names_of_days(days: Iterable[date]) -> Iterator[str]:
    """Yield the names of days, and of the months, quarters and years they are in."""
    for day in days:
        yield from _day_names(day)
        yield from _longer_periods(day, whole_year=False)
        yield f"{MONTHS[day.month - 1]} {day.year:04d}"


def with_digits(labels: Iterable[str]) -> frozenset[str]:
    """Return the labels that could be taken for figures."""
    return frozenset(label for label in labels if any(char.isnumeric() for char in label))


def without_labels(text: str, labels: Iterable[str]) -> str:
    """Replace the labels in a text; one without letters must stand in quotation marks, unless it is a date."""
    bare = [label for label in labels if _tells_itself(label)]
    quoted = [f'"{label}"' for label in labels] + [f"\u201c{label}\u201d" for label in labels]
    for group in (quoted, bare):
        if group:
            text = _pattern(group).sub(_PLACEHOLDER, text)
    return text


def _tells_itself(label: str) -> bool:
    return any(char.isalpha() for char in label) or bool(
        re.fullmatch(r"(?:1[89]|2[01])[0-9]{2}(?:-[0-9]{2}){0,2}", label)
    )


def _pattern(labels: Iterable[str]) -> re.Pattern[str]:
    # The longest first: `SKU-12` would leave the end of `SKU-12 blue` behind.
    ordered = sorted(labels, key=lambda label: (-len(label), label))
    return re.compile(rf"(?<![\w.,])(?:{'|'.join(map(re.escape, ordered))}){_NO_UNIT}", re.IGNORECASE)


def _is_day(text: str | None) -> bool:
    return text is not None and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) is not None


def _period_names(trend: Trend) -> Iterator[str]:
    days = {trend.first, trend.last}
    for day in days:
        yield from _day_names(day)
    for period in trend.periods:
        yield from _names_of_period(period.start, trend.grain)
    for start in {period.start for period in trend.periods} | days:
        yield from _longer_periods(start, whole_year=trend.grain is Grain.YEAR)


def _compared_names(comparison: Comparison) -> Iterator[str]:
    yield from (mover.value for each in comparison.dimensions for mover in each.movers if mover.value is not None)
    periods = comparison.periods
    for start in (periods.start, periods.before, periods.year_before, periods.unfinished):
        if start is not None:
            yield label_of(start, periods.grain)
            yield from _longer_periods(start, whole_year=periods.grain is Grain.YEAR)
            yield from _names_of_period(start, periods.grain)


def _names_of_period(start: date, grain: Grain) -> Iterator[str]:
    yield name_of(start, grain)
    if grain in (Grain.DAY, Grain.WEEK):
        yield from _day_names(start)
    if grain is Grain.WEEK:
        week = start.isocalendar().week
        yield from (f"week {week}", f"calendar week {week}", f"W{week:02}")


def _day_names(day: date) -> Iterator[str]:
    month = MONTHS[day.month - 1]
    for name in (month, month[:3]):
        yield from (f"{day.day} {name}", f"{name} {day.day}", f"{day.day} {name} {day.year}")
        yield f"{name} {day.day}, {day.year}"
    yield day.isoformat()


def _longer_periods(start: date, *, whole_year: bool) -> Iterator[str]:
    year = f"{start.year:04d}"
    yield from (year, f"FY{year}", f"FY {year}")
    if whole_year:
        return
    quarter, half = f"Q{(start.month + 2) // 3}", f"H{(start.month + 5) // 6}"
    yield start.isoformat()[:7]
    for name in (quarter, half):
        yield from (name, f"{name} {year}", f"{year} {name}", f"{name}/{year}")
