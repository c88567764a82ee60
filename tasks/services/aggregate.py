"""Adds the measures up: in all, along each dimension, and over time."""

from collections.abc import Sequence
from typing import Any

from maos.actions import StepOutcome
from maos.aggregates import MOST_SLICES, Group, RawTotal, breakdown_of, periods_of, slice_of, total_of, years_of
from maos.datasets import ColumnFacts, ReportShape
from maos.metrics import Breakdown, DatasetProfile, Metrics, Total, Trend
from maos.periods import Grain, grain_for
from maos.readings import PLAIN
from maos.report_parameters import AggregateParameters
from maos.risk import RiskLevel
from maos.settings import load_settings
from tasks.comparisons import compare_periods
from tasks.duplicates import create_from_rows
from tasks.joined_files import open_files, report_files
from tasks.readings import date_of, number_of, plain_number_of
from tasks.services.registry import ServiceCall, internal_service
from tasks.tables import Table


@internal_service(
    action="aggregate_metrics",
    risk=RiskLevel.LOW,
    title="Add up the measures in all, along each dimension and over time.",
    parameters=AggregateParameters,
    inputs={"profile": DatasetProfile},
    output=Metrics,
    read_only=True,
)
def aggregate_metrics(call: ServiceCall[AggregateParameters]) -> StepOutcome:
    """Compute every figure of the report."""
    asked = call.parameters
    profile = DatasetProfile.model_validate(call.inputs["profile"])
    shape = ReportShape(measures=asked.measures, dimensions=asked.dimensions, period_column=asked.period_column)
    files = report_files(asked, org=call.run.org, folder=call.folder, settings=load_settings())
    with open_files(files) as opened:
        metrics = _measured(opened.table, shape, profile, asked.compare)
    return StepOutcome(output=metrics.model_dump(mode="json"), summary=_summary(metrics))


def _measured(table: Table, shape: ReportShape, profile: DatasetProfile, compare: Grain | None) -> Metrics:
    _keep_chosen_columns(table, shape, profile)
    totals = _totals(table, shape.measures)
    rows = int(table.connection.execute("SELECT count(*) FROM chosen").fetchall()[0][0])
    trend = _trend(table, shape.period_column, totals) if shape.period_column else None
    return Metrics(
        shape=shape,
        rows=rows,
        totals=totals,
        breakdowns=tuple(
            _breakdown(table, name, f"d{index}", rows=rows, totals=totals)
            for index, name in enumerate(shape.dimensions)
        ),
        trend=trend,
        comparison=compare_periods(table.connection, shape, compare, first=trend.first, last=trend.last)
        if trend
        else None,
    )


def _keep_chosen_columns(table: Table, shape: ReportShape, profile: DatasetProfile) -> None:
    """Parse once what the report needs: numbers m0.., whether they had a text t0.., texts d0.., a date p.

    Values are read as the profile says, so that what it counts is what is added up.
    """
    facts, terms = profile.facts, []
    for index, measure in enumerate(shape.measures):
        column = table.column(measure)
        terms += [f"{_number(column, facts.column(measure))} AS m{index}", f"{column} IS NOT NULL AS t{index}"]
    terms += [f"{table.column(name)} AS d{index}" for index, name in enumerate(shape.dimensions)]
    if shape.period_column:
        reading = facts.column(shape.period_column).reading or PLAIN
        terms.append(f"{date_of(table.column(shape.period_column), reading)} AS p")
    create_from_rows(table, profile, name="chosen", terms=", ".join(terms), temporary=True)


def _number(column: str, facts: ColumnFacts) -> str:
    if facts.reading is None and not facts.unparsable:
        # The profile has asked each value for the pattern.
        return plain_number_of(column)
    return number_of(column, facts.reading or PLAIN)


def _totals(table: Table, measures: Sequence[str]) -> tuple[Total, ...]:
    terms = ", ".join(
        f"count(*), count(*) FILTER (WHERE t{index}), count(m{index}), coalesce(sum(m{index}), 0),"
        f" min(m{index}), max(m{index})"
        for index in range(len(measures))
    )
    values = table.connection.execute(f"SELECT {terms} FROM chosen").fetchall()[0]  # noqa: S608
    fields = ("rows", "present", "count", "sum", "minimum", "maximum")
    return tuple(
        total_of(measure, RawTotal(**dict(zip(fields, values[index * 6 : index * 6 + 6], strict=True))))
        for index, measure in enumerate(measures)
    )


def _breakdown(table: Table, dimension: str, column: str, *, rows: int, totals: Sequence[Total]) -> Breakdown:
    # The rows without a value come first, so that the limit never cuts them.
    found = table.connection.execute(
        f"SELECT {column}, count(*), count({column}) OVER (), {_sums(totals)} FROM chosen GROUP BY {column}"  # noqa: S608
        f" ORDER BY {column} IS NULL DESC, {_sum('m0')} DESC, count(*) DESC, {column} LIMIT {MOST_SLICES + 1}"
    ).fetchall()
    groups = [Group(value=value, rows=count, sums=tuple(sums)) for value, count, _, *sums in found]
    distinct = found[0][2] if found else 0
    return breakdown_of(dimension, groups, distinct=distinct, rows=rows, totals=totals)


def _trend(table: Table, period_column: str, totals: Sequence[Total]) -> Trend | None:
    first, last, days, months = table.connection.execute(
        "SELECT min(p), max(p), count(DISTINCT p), count(DISTINCT date_trunc('month', p)) FROM chosen"
    ).fetchall()[0]
    if first is None:
        return None
    grain = grain_for(days=days, months=months)
    measures = [total.measure for total in totals]
    groups = _dated(table, grain, totals)
    undated = next((group for group in groups if group.start is None), None)
    return Trend(
        column=period_column,
        grain=grain,
        first=first,
        last=last,
        periods=periods_of(groups, grain, measures),
        years=years_of(groups, measures) if grain is Grain.MONTH else (),
        undated=slice_of(undated, totals) if undated else None,
    )


def _dated(table: Table, grain: Grain, totals: Sequence[Total]) -> list[Group]:
    found: list[tuple[Any, ...]] = table.connection.execute(
        f"SELECT CAST(date_trunc('{grain.value}', p) AS DATE) AS start, count(*), {_sums(totals)}"  # noqa: S608
        " FROM chosen GROUP BY start ORDER BY start"
    ).fetchall()
    return [Group(start=start, rows=count, sums=tuple(sums)) for start, count, *sums in found]


def _sum(column: str) -> str:
    return f"coalesce(sum({column}), 0)"


def _sums(totals: Sequence[Total]) -> str:
    return ", ".join(_sum(f"m{index}") for index in range(len(totals)))


def _summary(metrics: Metrics) -> str:
    leading = metrics.totals[0]
    return f"Added up {len(metrics.totals)} measures over {metrics.rows:,} rows, led by {leading.measure}."
