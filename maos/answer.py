"""The answer: everything its page states, and the note on how it was made."""

from collections.abc import Iterator
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from maos.analysis import AnalysisTable, AnalysisTables, CrossCheck, QueryResult, WrittenQuery
from maos.answer_text import AnswerText
from maos.cross_check import verdict
from maos.data_quality import has_forms, how_written
from maos.dataset_notes import named
from maos.datasets import ColumnKind
from maos.engines import EngineType
from maos.figures import NO_FIGURE, rounded, shown
from maos.labels import heading, printable, row_words
from maos.report import ReportChart, ReportRun, moment
from maos.report_tables import Column, Note, Table

_LONGEST_CELL = 80


class Answer(BaseModel):
    """Everything that the page of an answer states."""

    model_config = ConfigDict(frozen=True)

    title: str
    question: str
    run: ReportRun
    tables: AnalysisTables
    query: WrittenQuery
    result: QueryResult
    text: AnswerText
    chart: ReportChart | None

    @property
    def disagreement(self) -> CrossCheck | None:
        """The cross-check, where it disagrees."""
        check = self.result.cross_check
        return check if check and not check.agrees else None


def key_figure(answer: Answer) -> tuple[str, str] | None:
    """Return what the key figure is called, and the figure."""
    check = answer.result.cross_check
    if check is None:
        return None
    return check.label, NO_FIGURE if check.value is None else rounded(check.value)


def result_table(answer: Answer) -> Table | None:
    """Return the rows of the result, as far as they are kept."""
    result = answer.result
    if not result.rows:
        return None
    numeric = [column.kind is ColumnKind.NUMBER for column in result.columns]
    caption = f"The first {len(result.rows):,} of {result.row_count:,} rows." if result.cut else "Every row."
    return Table(
        title="Result",
        caption=caption,
        columns=tuple(
            Column(title=heading(column.name), numeric=number)
            for column, number in zip(result.columns, numeric, strict=True)
        ),
        rows=tuple(
            tuple(_cell(cell, number=number) for cell, number in zip(row, numeric, strict=True)) for row in result.rows
        ),
    )


def _cell(cell: str | None, *, number: bool) -> str:
    if cell is None:
        return NO_FIGURE
    # Years stay as they are: 2,025 is a count.
    return _number(cell) if number else printable(cell, _LONGEST_CELL)


def _number(cell: str) -> str:
    value = Decimal(cell)
    is_year = value == value.to_integral_value() and 1800 <= value <= 2199
    return cell if is_year else shown(value)


def caveats(answer: Answer) -> tuple[str, ...]:
    """Return what limits the answer: what was assumed, what the data have wrong, and what was written of it."""
    return tuple(dict.fromkeys((*answer.query.assumptions, *answer.text.caveats, *_of_the_data(answer))))


def _of_the_data(answer: Answer) -> Iterator[str]:
    result = answer.result
    if result.cut:
        yield f"The result has {result.row_count:,} rows, of which the first {len(result.rows):,} are shown."
    for table in answer.tables.tables if result.answered else ():
        yield from _of_table(table, frozenset(result.read))


def _of_table(table: AnalysisTable, read: frozenset[str]) -> Iterator[str]:
    profile, name = table.profile, table.name
    if profile.duplicate_rows:
        counted = "count once" if profile.duplicates_dropped else "all count, since no column identifies a row"
        yield f"“{name}” has repeated rows ({profile.duplicate_rows:,}); they {counted}."
    if profile.facts.unreadable_rows:
        yield f"“{name}” has lines that are no rows ({profile.facts.unreadable_rows:,}); they are left out."
    for column in profile.facts.columns:
        lacks = [(column.missing, "missing"), (column.unparsable, "unreadable")]
        counts = " and ".join(f"{what} in {row_words(count)}" for count, what in lacks if count)
        if column.name.lower() in read and counts:
            yield f"“{column.name}” of “{name}” is {counts}; there it counts as no value."
        if column.name.lower() in read and has_forms(column):
            yield f"“{column.name}” of “{name}” was read with {how_written(column)}."


def methods(answer: Answer) -> tuple[Note, ...]:
    """Return where the figures come from and how they were made."""
    run, writer = answer.run, f"the engine “{EngineType.CLAUDE_CLI.label}”"
    sources = [
        f"{table.name}: {named(table.profile.facts)}, {table.profile.counted_rows:,} rows,"
        f" SHA-256 {table.profile.facts.sha256}"
        for table in answer.tables.tables
    ]
    by_whom = "by rule, in a rehearsal" if run.rehearsal else f"by {writer}"
    texts = {
        "Sources": "; ".join(sources),
        "Query": (
            f"Written {by_whom}; parsed and checked to be one SELECT over these tables; run read-only, without access"
            " to files or network."
        ),
        "Cross-check": verdict(answer.result.cross_check) if answer.result.cross_check else "None: nothing was run.",
        "Words": f"Written {by_whom}; their figures were checked against the result.",
        "Run": f"{run.run_id}, asked for by {run.initiator}, started {moment(run.started_at)}",
        "Cost": "Nothing: a rehearsal is free of charge." if run.rehearsal else f"{run.cost_usd:f} USD",
    }
    return tuple(Note(term=term, text=text) for term, text in texts.items())
