"""The answer in Markdown: the twin of its page, as the Prefect UI shows it."""

from collections.abc import Iterable, Iterator

from maos.answer import Answer, caveats, key_figure, methods, result_table
from maos.cross_check import verdict
from maos.fences import fenced
from maos.report_markdown import escaped, markdown_table

_REHEARSAL = (
    "**REHEARSAL** Query and words were derived from the question by rule; no writer was asked. Not for decisions."
)


def markdown_of(answer: Answer) -> str:
    """Return the whole answer."""
    return "\n\n".join(_blocks(answer)) + "\n"


def _blocks(answer: Answer) -> Iterator[str]:
    if answer.run.rehearsal:
        yield _REHEARSAL
    if answer.disagreement:
        yield f"**THE CROSS-CHECK DISAGREES** {escaped(verdict(answer.disagreement))}"
    yield f"# {escaped(answer.title)}"
    yield f"> {escaped(answer.question)}"
    yield f"**{escaped(answer.text.answer)}**"
    yield escaped(answer.text.context)
    if not answer.result.answered:
        yield "What is missing:"
        yield _list(answer.query.missing)
    if key := key_figure(answer):
        yield f"- {escaped(key[0])}: **{key[1]}**"
    if said := caveats(answer):
        yield "What to know about the answer:"
        yield _list(said)
    yield from _figures(answer)
    yield "## Methods"
    yield "\n".join(f"- **{note.term}:** {escaped(note.text)}" for note in methods(answer))


def _figures(answer: Answer) -> Iterator[str]:
    if answer.chart:
        yield f"*{escaped(answer.chart.title)}.* {escaped(answer.chart.alt)}"
    if table := result_table(answer):
        yield f"## {escaped(table.title)}"
        yield escaped(table.caption)
        yield markdown_table(table)
    if answer.result.answered:
        yield "## Query"
        yield fenced(answer.result.sql)
        yield "Second formulation of the key figure:"
        yield fenced(answer.result.check_sql)


def _list(texts: Iterable[str]) -> str:
    return "\n".join(f"- {escaped(text)}" for text in texts)
