"""The report: everything it states, its key figures, and the note on how it was made."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from maos.comparison import Comparison
from maos.comparison_tables import compared_names, comparison_detail, comparison_rule
from maos.data_quality import has_forms, how_written
from maos.dataset_notes import digest_note, source_note
from maos.datasets import DatasetFacts
from maos.engines import EngineType
from maos.figures import rounded, shown_change
from maos.labels import heading, phrase
from maos.metrics import DatasetProfile, Metrics
from maos.narrative import Narrative
from maos.report_tables import Note, period_covered

_MOST_KEY_FIGURES = 4


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ReportRun(_Frozen):
    """What a report says of the run that made it."""

    run_id: UUID
    org: str
    initiator: str
    started_at: datetime
    rehearsal: bool
    cost_usd: Decimal


class ReportChart(_Frozen):
    """A chart of a report with its drawing."""

    title: str
    alt: str
    svg: str = Field(description="The drawing as this project made it; it is put into the page as it is.")


class Report(_Frozen):
    """Everything that a report states."""

    title: str
    note: str
    run: ReportRun
    profile: DatasetProfile
    metrics: Metrics
    narrative: Narrative
    charts: tuple[ReportChart, ...]


class KeyFigure(_Frozen):
    """A figure at the top of a report."""

    label: str
    value: str
    detail: str


def key_figures(report: Report) -> tuple[KeyFigure, ...]:
    """Return the figures at the top: the leading measures with their movement, and what they are made of."""
    trend = report.metrics.trend
    latest = trend.years[-1] if trend and trend.years else None
    figures = []
    for index, total in enumerate(report.metrics.totals[: _MOST_KEY_FIGURES - 1]):
        change = latest.movements[index].change if latest else None
        detail = f"{shown_change(change)} in {latest.label} on the year before" if latest and change is not None else ""
        figures.append(
            KeyFigure(label=heading(total.measure), value=rounded(total.sum), detail=detail or _mean(total.mean))
        )
    figures[1:1] = _compared(report.metrics.comparison)
    rows = KeyFigure(label="Rows counted", value=f"{report.metrics.rows:,}", detail=period_covered(trend))
    return (*figures, rows)


def _compared(comparison: Comparison | None) -> Iterator[KeyFigure]:
    if comparison:
        leading, (name, _) = comparison.measures[0], compared_names(comparison)
        yield KeyFigure(
            label=f"{heading(leading.measure)}, {name}",
            value=rounded(leading.sum),
            detail=comparison_detail(comparison),
        )


def _mean(mean: Decimal | None) -> str:
    return "" if mean is None else f"{rounded(mean)} on average"


def methods(report: Report) -> tuple[Note, ...]:
    """Return the methods note: where the figures come from, and how they were made."""
    profile, run = report.profile, report.run
    facts = profile.facts
    writer = (
        "Derived from the figures by rule, in a rehearsal."
        if run.rehearsal
        else f"Written by the engine “{EngineType.CLAUDE_CLI.label}”; its figures were checked against the data."
    )
    cost = "Nothing: a rehearsal is free of charge." if run.rehearsal else f"{run.cost_usd:f} USD up to publication."
    texts: Mapping[str, str] = {
        "Source": source_note(facts),
        "Data digest": digest_note(facts),
        "Period covered": period_covered(report.metrics.trend),
        "Rows": f"{facts.row_count:,} read, {report.metrics.rows:,} counted.",
        "Unreadable lines": f"{facts.unreadable_rows:,} without the columns of the table, left out.",
        "Duplicate rows": _duplicates(profile),
        "Missing and unreadable values": (
            f"{sum(column.missing for column in facts.columns):,} missing and"
            f" {sum(column.unparsable for column in facts.columns):,} unreadable. Counted for each column in the table"
            " “Data quality”. A row without a number for a measure is left out of that measure only; a row without a"
            " value of a dimension is shown as (missing), one without a date as (no date). No value was replaced."
        ),
        "How values are written": _forms(facts),
        "Rows without a date": _undated(report.metrics),
        "Comparison": _comparison(report.metrics),
        "Computation": (
            "Sums are exact decimal arithmetic over numbers of up to ten decimals. Shares and changes are rounded last."
        ),
        "Narrative": writer,
        "Run": f"{run.run_id}, asked for by {run.initiator}, started {moment(run.started_at)}",
        "Cost": cost,
    }
    return tuple(Note(term=term, text=text) for term, text in texts.items())


def _forms(facts: DatasetFacts) -> str:
    told = [f"{heading(each.name)}: {how_written(each)}." for each in facts.columns if has_forms(each)]
    rule = "A value that can be read in one way only is read in that way; others follow their column, then the file."
    return " ".join([*told, rule]) if told else "Numbers and dates are plain in every column."


def _undated(metrics: Metrics) -> str:
    if metrics.trend is None:
        return "No trend: no column of dates was used."
    undated = metrics.trend.undated
    rows, column = undated.rows if undated else 0, phrase(metrics.trend.column)
    return f"{rows:,} by the column {column}, left out of trend and comparison."


def _comparison(metrics: Metrics) -> str:
    if metrics.comparison is None:
        return "None: the data have no complete period with another one before it."
    return (
        f"{comparison_rule(metrics.comparison)} A period is complete when the data go on after it or have its last day."
    )


def _duplicates(profile: DatasetProfile) -> str:
    treated = (
        "counted once, since rows carry an identifier"
        if profile.duplicates_dropped
        else "all counted, since no column identifies a row"
    )
    return f"{profile.duplicate_rows:,} repeat an earlier row in every column; {treated}."


def moment(time: datetime) -> str:
    """Return a point in time as a report states it."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
