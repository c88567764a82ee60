"""Rehearsed queries that add up: in all, by groups, the first of a ranking, over time."""

from maos.analysis import KeyIs, WrittenQuery
from maos.question_words import ranked_number
from maos.rehearsed_sql import Reading, quoted, written

_ASCENDING = frozenset({"bottom", "worst", "least", "lowest", "smallest", "weakest", "fewest"})
_LISTED = 10
# Groups of a table are shown as far as a reader follows.
_MOST_GROUPS = 50


def totals(reading: Reading) -> WrittenQuery:
    """Return one row: the figure, and what it is made of."""
    where = reading.where()
    more = ""
    if reading.measure:
        column = quoted(reading.measure)
        more = f', min({column}) AS "smallest", max({column}) AS "largest", count({column}) AS "rows_with_a_number"'
    sql = f"SELECT {reading.value} AS {quoted(reading.value_name)}{more} FROM {reading.table}{where}"
    return written(reading, sql, _in_parts(reading, where), key_column=reading.value_name)


def grouped(reading: Reading) -> WrittenQuery:
    """Return a row for each group, the largest first."""
    if reading.figure == "avg":
        return ranked(reading)
    where = reading.where()
    sql = f"{_by_group(reading, where)} LIMIT {_MOST_GROUPS}"
    # The groups that the limit cuts off are in neither.
    groups = f"SELECT {reading.value} AS part FROM {reading.table}{where} GROUP BY {_dimension(reading)}"
    check = f"SELECT sum(part) FROM ({groups} ORDER BY part DESC NULLS LAST LIMIT {_MOST_GROUPS}) AS parts"
    if reading.meant.facts(reading.dimension or "").distinct < _MOST_GROUPS:
        check = f"SELECT {reading.value} FROM {reading.table}{where}"
    return written(reading, sql, check, key_column=reading.value_name, key_is=KeyIs.SUM)


def ranked(reading: Reading) -> WrittenQuery:
    """Return the first groups of a ranking; without a group to rank, the figure itself."""
    if reading.dimension is None:
        return totals(reading)
    ascending = bool(_ASCENDING.intersection(reading.meant.words))
    where = reading.where(f"{_dimension(reading)} IS NOT NULL")
    most = ranked_number(reading.meant.words) or _LISTED
    sql = f"{_by_group(reading, where, ascending=ascending)} LIMIT {most}"
    measure = quoted(reading.measure) if reading.measure else None
    value = f"sum({measure}) / nullif(count({measure}), 0)" if reading.figure == "avg" else reading.value
    groups = f"SELECT {value} AS part FROM {reading.table}{where} GROUP BY {_dimension(reading)}"
    check = f"SELECT {'min' if ascending else 'max'}(part) FROM ({groups}) AS parts"
    return written(reading, sql, check, key_column=reading.value_name)


def trend(reading: Reading) -> WrittenQuery:
    """Return a row for each period, in the order of time."""
    if reading.period is None:
        return WrittenQuery(answerable=False, missing=("A column of dates, along which a trend could run.",))
    column = quoted(reading.period)
    where = reading.where(f"{column} IS NOT NULL")
    period = f"date_trunc('{reading.grain}', {column})"
    sql = (
        f"SELECT {period} AS {quoted(reading.grain)}, {reading.value} AS {quoted(reading.value_name)}"
        f" FROM {reading.table}{where} GROUP BY 1 ORDER BY 1"
    )
    if reading.figure != "avg":
        check = f"SELECT {reading.value} FROM {reading.table}{where}"
        return written(reading, sql, check, key_column=reading.value_name, key_is=KeyIs.SUM)
    first = f"(SELECT min({period}) FROM {reading.table}{where})"
    measure = quoted(reading.measure or "")
    check = f"SELECT sum({measure}) / nullif(count({measure}), 0) FROM {reading.table}{where} AND {period} = {first}"
    return written(reading, sql, check, key_column=reading.value_name)


def _by_group(reading: Reading, where: str, *, ascending: bool = False) -> str:
    name = quoted(reading.value_name)
    return (
        f"SELECT {_dimension(reading)}, {reading.value} AS {name} FROM {reading.table}{where}"
        f" GROUP BY {_dimension(reading)} ORDER BY {name} {'ASC' if ascending else 'DESC'} NULLS LAST,"
        f" {_dimension(reading)}"
    )


def _dimension(reading: Reading) -> str:
    return quoted(reading.dimension or "")


def _in_parts(reading: Reading, where: str) -> str:
    if reading.figure == "avg":
        measure = quoted(reading.measure or "")
        return f"SELECT sum({measure}) / nullif(count({measure}), 0) FROM {reading.table}{where}"
    part = quoted(reading.meant.table.columns[0].name)
    groups = f"SELECT {reading.value} AS part FROM {reading.table}{where} GROUP BY {part}"
    return f"SELECT sum(part) FROM ({groups}) AS parts"
