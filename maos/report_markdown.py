"""The report in Markdown: the twin of its page, and what a reviewer reads before it is published."""

import re
from collections.abc import Iterator

from maos.comparison_tables import comparison_tables
from maos.labels import printable
from maos.report import Report, key_figures, methods
from maos.report_tables import Table, period_covered, tables_of, totals_table

# Whatever could begin a construct within a line; `://`, `@` and dots within names would make links.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#!$^&=@]|:(?=/))")
_NAME_WITH_DOT = re.compile(r"(?<=\w)\.(?=[^\W\d_])")
_BLOCK_START = re.compile(r"^(\d*)([-+.)])(?=\s|$)")
_REHEARSAL = "**REHEARSAL** The text was derived from the figures by rule; no writer was asked. Not for decisions."


def escaped(text: str) -> str:
    """Return text of the data or of a writer as plain words on one line, without effect in Markdown or HTML."""
    line = _SPECIAL.sub(r"\\\1", printable(text, longest=5000))
    return _BLOCK_START.sub(r"\1\\\2", _NAME_WITH_DOT.sub(r"\\.", line))


def markdown_of(report: Report) -> str:
    """Return the whole report."""
    return _joined(_whole(report))


def preview_of(report: Report, *, places: tuple[str, ...]) -> str:
    """Return what a reviewer needs to decide whether the report may be published.

    Args:
        places: the files that publishing writes.
    """
    return _joined(_preview(report, places))


def _joined(blocks: Iterator[str]) -> str:
    return "\n\n".join(blocks) + "\n"


def _whole(report: Report) -> Iterator[str]:
    yield from _opening(report)
    yield _figures(report)
    yield from _narrative(report)
    yield from _comparison(report)
    if report.charts:
        yield "## Charts"
        yield from (f"*{escaped(chart.title)}.* {escaped(chart.alt)}" for chart in report.charts)
    yield "## Tables"
    for table in tables_of(report.profile, report.metrics):
        yield from _titled(table)
    yield "## Methods"
    yield _notes(report)


def _preview(report: Report, places: tuple[str, ...]) -> Iterator[str]:
    yield from _opening(report)
    yield "Will be published in the run's folder as " + " and ".join(f"`{place}`" for place in places) + "."
    yield from _narrative(report)
    yield "## Key figures"
    yield _figures(report)
    yield markdown_table(totals_table(report.metrics.totals))
    yield from _comparison(report)
    yield "## Methods"
    yield _notes(report)


def _opening(report: Report) -> Iterator[str]:
    if report.run.rehearsal:
        yield _REHEARSAL
    yield f"# {escaped(report.title)}"
    source = report.profile.facts.display_name
    yield " · ".join(map(escaped, (source, period_covered(report.metrics.trend), report.run.org)))
    if report.note:
        yield f"> {escaped(report.note)}"


def _narrative(report: Report) -> Iterator[str]:
    narrative = report.narrative
    yield f"**{escaped(narrative.headline)}**"
    yield from map(escaped, narrative.paragraphs)
    if narrative.caveats:
        yield "What to know about the data:"
        yield "\n".join(f"- {escaped(caveat)}" for caveat in narrative.caveats)


def _comparison(report: Report) -> Iterator[str]:
    tables = comparison_tables(report.metrics.comparison)
    if tables:
        yield "## Comparison"
    for table in tables:
        yield from _titled(table)


def _titled(table: Table) -> Iterator[str]:
    yield f"### {escaped(table.title)}"
    yield escaped(table.caption)
    yield markdown_table(table)


def _figures(report: Report) -> str:
    return "\n".join(
        f"- {escaped(figure.label)}: **{figure.value}** {escaped(figure.detail)}".rstrip()
        for figure in key_figures(report)
    )


def _notes(report: Report) -> str:
    return "\n".join(f"- **{note.term}:** {escaped(note.text)}" for note in methods(report))


def markdown_table(table: Table) -> str:
    """Return a table of a report."""
    head = [escaped(column.title) for column in table.columns]
    rule = ["---:" if column.numeric else "---" for column in table.columns]
    body = ([escaped(cell) for cell in row] for row in table.rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *body))
