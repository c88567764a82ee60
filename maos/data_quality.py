"""What is told of columns whose values are written in several ways, or could be read in several."""

from collections.abc import Iterator

from maos.datasets import ColumnFacts, ColumnKind
from maos.labels import heading, row_words
from maos.readings import PLAIN, DateOrder


def has_forms(column: ColumnFacts) -> bool:
    """Say whether there is something to tell of how a column's values are written."""
    return column.reading is not None or bool(column.other_format or column.ambiguous or column.other_currency)


def reading_caveats(column: ColumnFacts) -> Iterator[str]:
    """Yield what a careful reader must know of how a column was read, a sentence for each count."""
    name = heading(column.name)
    if column.other_format:
        rows = row_words(column.other_format)
        yield f"{name} is written in another form than most of it in {rows}, read by that form."
    if column.ambiguous:
        yield f"{name} could be read in two ways in {row_words(column.ambiguous)}, read with {_way(column)}."
    if column.other_currency:
        yield f"{name} is in another currency in {row_words(column.other_currency)}, left out of its figures."


def how_written(column: ColumnFacts) -> str:
    """Return how a column's values are written, with its counts, for the note on methods."""
    counts = [
        f"{column.other_format:,} written unlike most, read by their own form" if column.other_format else "",
        f"{column.ambiguous:,} that could be read otherwise, read like this" if column.ambiguous else "",
        f"{column.other_currency:,} in another currency, left out" if column.other_currency else "",
    ]
    return "; ".join([_way(column), *(count for count in counts if count)])


def _way(column: ColumnFacts) -> str:
    reading = column.reading or PLAIN
    if column.kind is ColumnKind.DATE:
        if reading.date_order is None:
            return "dates with the year first, or day first with dots"
        return f"the {'day' if reading.date_order is DateOrder.DAY_FIRST else 'month'} first in dates with slashes"
    sign = f"a decimal {'comma' if reading.decimal == ',' else 'point'}"
    return f"{sign}, amounts in {reading.currency}" if reading.currency else sign
