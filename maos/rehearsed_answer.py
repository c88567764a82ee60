"""The first sentence of a rehearsed answer, by the form of the result."""

from decimal import Decimal

from maos.analysis import QueryResult
from maos.datasets import ColumnKind
from maos.figures import rounded
from maos.labels import heading, phrase, row_words

_NAMED = 3


def first_sentence(result: QueryResult, *, key_column: str) -> str:
    """Return what the result says, without a word more."""
    if not result.rows:
        return "No row of the data is what the question asks for."
    numbers = [at for at, column in enumerate(result.columns) if column.kind is ColumnKind.NUMBER]
    labels = [at for at, column in enumerate(result.columns) if column.kind is not ColumnKind.NUMBER]
    if not numbers or (labels and not key_column):
        return f"The question is answered by {row_words(result.row_count)}."
    value = next((at for at in numbers if result.columns[at].name == key_column), numbers[0])
    if not labels:
        return f"The {phrase(result.columns[value].name)} is {_figure(result.rows[0][value])}."
    if result.columns[labels[0]].kind is ColumnKind.DATE and len(result.rows) > 1:
        return _course(result, labels[0], value)
    return _ranking(result, labels[0], value)


def _course(result: QueryResult, label: int, value: int) -> str:
    first, last = result.rows[0], result.rows[-1]
    best = max(result.rows, key=lambda row: Decimal(row[value] or 0))
    return (
        f"{heading(result.columns[value].name)} went from {_figure(first[value])} in {_label(first[label])} to"
        f" {_figure(last[value])} in {_label(last[label])}; it was highest in {_label(best[label])} with"
        f" {_figure(best[value])}."
    )


def _ranking(result: QueryResult, label: int, value: int) -> str:
    leader, *others = result.rows[:_NAMED]
    after = " and ".join(f"{_label(row[label])} with {_figure(row[value])}" for row in others)
    name = phrase(result.columns[value].name)
    return f"{_label(leader[label])} comes first by {name} with {_figure(leader[value])}" + (
        f", before {after}." if after else "."
    )


def _label(cell: str | None) -> str:
    return f"“{cell}”" if cell else "what has no value"


def _figure(cell: str | None) -> str:
    return "nothing" if cell is None else rounded(Decimal(cell))
