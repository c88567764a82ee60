"""Rehearsed queries about the data themselves: missing values, outliers, correlations."""

from itertools import combinations

from maos.analysis import KeyIs, WrittenQuery
from maos.datasets import is_countable
from maos.rehearsed_sql import Reading, literal, quoted, written

_MOST_COLUMNS = 40
_MOST_NUMBERS = 4
_SHOWN_COLUMNS = 5
# As box plots have it: this many times the middle half away from it.
_FENCE = "1.5"


def missing_values(reading: Reading) -> WrittenQuery:
    """Return how many rows have no readable value, for each column."""
    names = reading.meant.columns or tuple(column.name for column in reading.meant.table.columns)[:_MOST_COLUMNS]
    where = reading.where()
    parts = [
        f'SELECT {literal(name)} AS "column", count(*) - count({quoted(name)}) AS "missing_or_unreadable"'
        f" FROM {reading.table}{where}"
        for name in names
    ]
    sql = f"{' UNION ALL '.join(parts)} ORDER BY 2 DESC, 1"
    terms = " + ".join(f"CASE WHEN {quoted(name)} IS NULL THEN 1 ELSE 0 END" for name in names)
    check = f"SELECT sum({terms}) FROM {reading.table}{where}"
    return written(reading, sql, check, key_column="missing_or_unreadable", key_is=KeyIs.SUM)


def outliers(reading: Reading) -> WrittenQuery:
    """Return the rows whose measure lies far outside the middle half of all rows."""
    if reading.measure is None:
        return WrittenQuery(answerable=False, missing=("A column of numbers, in which a value could be unusual.",))
    column, where = quoted(reading.measure), reading.where()
    quartiles = ", ".join(f"quantile_cont({column}, {share}) AS q{n}" for n, share in ((1, "0.25"), (3, "0.75")))
    others = [each.name for each in reading.meant.table.columns if each.name != reading.measure][:_SHOWN_COLUMNS]
    shown = ", ".join(map(quoted, [*others, reading.measure]))
    outside = f"{column} > q3 + {_FENCE} * (q3 - q1) OR {column} < q1 - {_FENCE} * (q3 - q1)"
    sql = (
        f"WITH quartiles AS (SELECT {quartiles} FROM {reading.table}{where})"
        f" SELECT {shown} FROM {reading.table} CROSS JOIN quartiles{reading.where(f'({outside})')}"
        f" ORDER BY {column} DESC"
    )
    low, high = (f"(SELECT quantile_cont({column}, {share}) FROM {reading.table}{where})" for share in ("0.25", "0.75"))
    check = (
        f"SELECT count(CASE WHEN {column} > {high} + {_FENCE} * ({high} - {low}) THEN 1"
        f" WHEN {column} < {low} - {_FENCE} * ({high} - {low}) THEN 1 END) FROM {reading.table}{where}"
    )
    return written(reading, sql, check, key_is=KeyIs.ROW_COUNT)


def correlations(reading: Reading) -> WrittenQuery:
    """Return how closely pairs of number columns move together, from -1 to 1."""
    numbers = [each.name for each in reading.meant.table.profile.facts.columns if is_countable(each)]
    named = [name for name in reading.meant.columns if name in numbers]
    chosen = (named if len(named) > 1 else [*named, *(name for name in numbers if name not in named)])[:_MOST_NUMBERS]
    if len(chosen) < 2:
        return WrittenQuery(answerable=False, missing=("Two columns of numbers, which could move together.",))
    where = reading.where()
    pairs = list(combinations(chosen, 2))
    parts = [
        f'SELECT {literal(f"{one} and {other}")} AS "pair", corr({_double(one)}, {_double(other)}) AS "correlation",'
        f' count(CASE WHEN {quoted(one)} IS NOT NULL AND {quoted(other)} IS NOT NULL THEN 1 END) AS "rows"'
        f" FROM {reading.table}{where}"
        for one, other in pairs
    ]
    sql = f'SELECT * FROM ({" UNION ALL ".join(parts)}) AS pairs ORDER BY abs("correlation") DESC, 1'
    sums = " + ".join(f"coalesce({_by_definition(reading, one, other)}, 0)" for one, other in pairs)
    return written(reading, sql, f"SELECT {sums}", key_column="correlation", key_is=KeyIs.SUM)


def _by_definition(reading: Reading, one: str, other: str) -> str:
    both = reading.where(f"{quoted(one)} IS NOT NULL", f"{quoted(other)} IS NOT NULL")
    x, y = _double(one), _double(other)
    return (
        f"(SELECT (avg({x} * {y}) - avg({x}) * avg({y})) / nullif(stddev_pop({x}) * stddev_pop({y}), 0)"
        f" FROM {reading.table}{both})"
    )


def _double(name: str) -> str:
    return f"CAST({quoted(name)} AS DOUBLE)"
