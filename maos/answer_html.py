"""The answer as one HTML page that needs nothing else."""

from maos.answer import Answer, caveats, key_figure, methods, result_table
from maos.cross_check import verdict
from maos.labels import printable
from maos.report import moment
from maos.report_html import inlined, page_template


def html_of(answer: Answer) -> str:
    """Return the answer as a page."""
    return page_template("answer.html.j2").render(
        answer=answer,
        title=printable(answer.title, longest=200),
        sources=", ".join(table.profile.facts.display_name for table in answer.tables.tables),
        disagreement=verdict(answer.disagreement) if answer.disagreement else "",
        key=key_figure(answer),
        missing=answer.query.missing if not answer.result.answered else (),
        caveats=caveats(answer),
        drawing=inlined(answer.chart.svg, "chart-1") if answer.chart else "",
        table=result_table(answer),
        notes=methods(answer),
        started=moment(answer.run.started_at),
    )
