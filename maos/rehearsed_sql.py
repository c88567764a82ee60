"""The parts of a rehearsed query: what it measures, along what, over which rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from maos.analysis import WrittenQuery
from maos.datasets import ColumnFacts, ColumnKind, is_countable, is_leading, is_rate
from maos.labels import phrase
from maos.periods import MONTHS
from maos.question_words import Meant

# The words that ask for a period, and the period.
GRAINS: dict[str, str] = {
    "day": "day", "daily": "day", "week": "week", "weekly": "week", "month": "month", "monthly": "month",
    "quarter": "quarter", "quarterly": "quarter", "year": "year", "yearly": "year", "annual": "year",
}  # fmt: skip
_AVERAGE = frozenset({"average", "mean"})
_COUNT = frozenset({"many", "count"})


@dataclass(frozen=True)
class Reading:
    """How a question is read: the pieces of SQL that its query is made of."""

    meant: Meant
    measure: str | None
    dimension: str | None
    period: str | None
    grain: str
    # `sum`, `avg` or `count`.
    figure: str

    @property
    def table(self) -> str:
        """The table as queries write it."""
        return quoted(self.meant.table.name)

    @property
    def value(self) -> str:
        """The aggregate that is asked for."""
        return "count(*)" if self.measure is None else f"{self.figure}({quoted(self.measure)})"

    @property
    def value_name(self) -> str:
        """The name of its column."""
        if self.measure is None:
            return f"number_of_{self.meant.table.name}"
        return f"{'average' if self.figure == 'avg' else 'total'}_{self.measure}"

    @property
    def lacks(self) -> tuple[str, ...]:
        """What the table lacks for any figure."""
        if self.figure != "count" and self.measure is None:
            return ("A column of numbers that can be added up.",)
        return ()

    def where(self, *more: str) -> str:
        """Return the clause that chooses the rows."""
        conditions = [*_filters(self.meant), *_dates(self.meant, self.period), *more]
        return f" WHERE {' AND '.join(conditions)}" if conditions else ""

    @property
    def assumptions(self) -> tuple[str, ...]:
        """How the question was read."""
        what = f"the {phrase(self.value_name)}"
        said = [f"The question was read by its words: {what} of the table “{self.meant.table.name}”."]
        said += [f"Only rows whose {phrase(column)} is “{value}” count." for column, value in self.meant.filters]
        if self.period and (self.meant.years or self.meant.months):
            periods = [*(MONTHS[month - 1] for month in self.meant.months), *map(str, self.meant.years)]
            said.append(f"Only rows whose {phrase(self.period)} is in {', '.join(periods[:20])} count.")
        return tuple(said[:10])


def read(meant: Meant) -> Reading:
    """Choose what a question leaves open: the leading measure, the first column of dates, months."""
    words = frozenset(meant.words)
    named = [meant.facts(name) for name in meant.columns]
    dimension = next((each.name for each in named if _groups(each, meant)), None) or _compared(meant)
    dates = [each.name for each in named if each.kind is ColumnKind.DATE] + _dates_of(meant)
    measure = next((each.name for each in named if is_countable(each)), None)
    figure = "avg" if words & _AVERAGE else "sum"
    if measure is None and words & _COUNT:
        figure = "count"
    elif measure is None:
        measure = _leading_measure(meant)
    if measure and is_rate(measure) and not words & {"total", "sum"}:
        figure = "avg"
    grain = next((GRAINS[word] for word in meant.words if word in GRAINS), "month")
    return Reading(meant, measure, dimension, dates[0] if dates else None, grain, figure)


def _groups(column: ColumnFacts, meant: Meant) -> bool:
    filtered = {name for name, _ in meant.filters}
    return column.kind is not ColumnKind.DATE and not is_countable(column) and column.name not in filtered


def _compared(meant: Meant) -> str | None:
    """Return the column of which several values are named: they are told apart."""
    names = [name for name, _ in meant.filters]
    return next((name for name in names if names.count(name) > 1), None)


def _dates_of(meant: Meant) -> list[str]:
    return [each.name for each in meant.table.profile.facts.columns if each.kind is ColumnKind.DATE]


def _leading_measure(meant: Meant) -> str | None:
    numbers = [each.name for each in meant.table.profile.facts.columns if is_countable(each)]
    ranked = sorted(numbers, key=lambda name: (not is_leading(name), is_rate(name)))
    return ranked[0] if ranked else None


def _filters(meant: Meant) -> Iterator[str]:
    for column, chosen in groupby(sorted(meant.filters), key=lambda each: each[0]):
        values = ", ".join(literal(value) for _, value in chosen)
        yield f"{quoted(column)} IN ({values})"


def _dates(meant: Meant, period: str | None) -> Iterator[str]:
    if period and meant.years:
        yield f"year({quoted(period)}) IN ({', '.join(map(str, meant.years))})"
    if period and meant.months:
        yield f"month({quoted(period)}) IN ({', '.join(map(str, meant.months))})"


def quoted(name: str) -> str:
    """Return a name as queries write it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as queries write it."""
    return "'" + text.replace("'", "''") + "'"


def written(reading: Reading, sql: str, check_sql: str, **key: object) -> WrittenQuery:
    """Return the query with how it was read."""
    return WrittenQuery.model_validate(
        {"answerable": True, "sql": sql, "check_sql": check_sql, "assumptions": reading.assumptions, **key}
    )
