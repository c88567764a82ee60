"""Adds up the latest complete period of the data and those that it is compared with."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import duckdb

from maos.comparison import (
    MOST_MOVERS,
    ComparedPeriods,
    Comparison,
    DimensionMovers,
    MovedGroup,
    PeriodSums,
    compared_periods,
    comparison_of,
    grain_of_span,
    movers_of,
    reaches_its_end,
)
from maos.datasets import ReportShape
from maos.periods import Grain, following, start_of


def compare_periods(
    connection: duckdb.DuckDBPyConnection, shape: ReportShape, grain: Grain | None, *, first: date, last: date
) -> Comparison | None:
    """Compare periods of the table `chosen`: measures m0.., dimensions d0.., dates p; nothing where there are no two.

    Args:
        grain: how long the periods are; nothing: as the data span.
        first: the earliest date.
        last: the latest date.
    """
    grain = grain or grain_of_span(first, last)
    finished = last if reaches_its_end(last, grain) else _last_before(connection, start_of(last, grain))
    periods = compared_periods(grain, first=first, finished=finished, last=last) if finished else None
    if periods is None:
        return None
    sums = _sums(connection, periods, len(shape.measures))
    compared = comparison_of(periods, shape.measures, sums, ())
    dimensions = tuple(_movers(connection, compared, name, f"d{index}") for index, name in enumerate(shape.dimensions))
    return compared.model_copy(update={"dimensions": dimensions})


def _last_before(connection: duckdb.DuckDBPyConnection, start: date) -> date | None:
    ((found,),) = connection.execute("SELECT max(p) FROM chosen WHERE p < ?", [start]).fetchall()
    return found if isinstance(found, date) else None


def _sums(connection: duckdb.DuckDBPyConnection, periods: ComparedPeriods, measures: int) -> dict[date, PeriodSums]:
    terms = ", ".join(f"coalesce(sum(m{index}), 0)" for index in range(measures))
    found = {}
    for start in (periods.start, periods.before, periods.year_before):
        if start is None:
            continue
        rows, *sums = connection.execute(
            f"SELECT count(*), {terms} FROM chosen WHERE p >= ? AND p < ?",  # noqa: S608 - names of our own
            _bounds(start, periods.grain),
        ).fetchall()[0]
        if rows:
            found[start] = PeriodSums(rows=rows, sums=tuple(sums))
    return found


def _movers(
    connection: duckdb.DuckDBPyConnection, compared: Comparison, dimension: str, column: str
) -> DimensionMovers:
    periods = compared.periods
    now, before = (f"coalesce(sum(m0) FILTER (WHERE p >= ${low} AND p < ${high}), 0)" for low, high in ((1, 2), (3, 4)))
    bounds = [*_bounds(periods.start, periods.grain), *_bounds(periods.before, periods.grain)]
    found: Sequence[tuple[Any, ...]] = connection.execute(
        f"SELECT {column}, {now} AS now, {before} AS before, count(*) OVER () FROM chosen"  # noqa: S608
        f" WHERE p >= $3 AND p < $2 GROUP BY {column}"
        f" ORDER BY abs(now - before) DESC, {column} NULLS FIRST LIMIT {MOST_MOVERS}",
        bounds,
    ).fetchall()
    leading = compared.measures[0]
    return movers_of(
        dimension,
        [MovedGroup(value=value, sum=sum_, before=earlier) for value, sum_, earlier, _ in found],
        values=found[0][3] if found else 0,
        now=leading.sum,
        before=leading.before,
    )


def _bounds(start: date, grain: Grain) -> list[date]:
    return [start, following(start, grain)]
