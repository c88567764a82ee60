"""A text as one HTML page that needs nothing else."""

from maos.content_document import ContentDocument
from maos.labels import printable
from maos.report import moment
from maos.report_html import page_template


def html_of(document: ContentDocument) -> str:
    """Return the text as a page."""
    return page_template("content.html.j2").render(
        document=document,
        title=printable(document.title, longest=200),
        words=document.words,
        started=moment(document.run.started_at),
    )
