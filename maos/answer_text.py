"""The answer in words: its shape, and the figures and labels of a result that it may state."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from maos.analysis import AnalysisTables, QueryResult, Remark
from maos.datasets import ColumnKind
from maos.figure_check import faults_of_figures
from maos.figure_facts import FigureFacts
from maos.figure_labels import names_of_days, with_digits, without_labels
from maos.labels import phrase, printable

_LINK = re.compile(r"\w+://|\bwww\.|\]\(|<[a-z]", re.IGNORECASE)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEAR = re.compile(r"(?<![0-9.])(?:1[89]|2[01])[0-9]{2}(?![0-9.])")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


class AnswerText(BaseModel):
    """The answer in two sentences, and what a careful reader must know."""

    model_config = ConfigDict(frozen=True)

    answer: str = Field(description="The answer to the question, in one sentence.", min_length=1, max_length=400)
    context: str = Field(
        description="What gives the answer its weight: how large, compared with what; one sentence.",
        min_length=1,
        max_length=400,
    )
    caveats: tuple[Remark, ...] = Field(
        default=(), description="What limits the answer, one sentence each.", max_length=10
    )

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """Each text with the name of its place."""
        caveats = ((f"caveat {number}", text) for number, text in enumerate(self.caveats, start=1))
        return (("answer", self.answer), ("context", self.context), *caveats)


def text_faults(text: AnswerText, result: QueryResult, tables: AnalysisTables) -> list[str]:
    """Return a fault, in words the writer can act on, for each figure that the result has not, and each link."""
    facts, labels = _facts(result, tables), with_digits(_labels(result, tables))
    faults = []
    for place, said in text.places:
        bare = without_labels(said, labels)
        faults += [f"{place}: {fault}" for fault in faults_of_figures(bare, facts)]
        if _LINK.search(bare):
            faults.append(f"{place}: has a link; leave it out")
    return faults


def _facts(result: QueryResult, tables: AnalysisTables) -> FigureFacts:
    figures = frozenset(_figures(result))
    # A share may be kept as 0.123 and told as 12.3%.
    percentages = figures | {value * 100 for value in figures if abs(value) <= 1}
    counts = {result.row_count, len(result.rows), len(result.columns), *_counts(tables)}
    # Limits and bounds that the query itself names: `the 5 largest`, `above 1000`.
    bounds = map(Decimal, _NUMBER.findall(result.sql))
    return FigureFacts(
        amounts=figures,
        counts=frozenset(map(Decimal, counts)) | frozenset(bounds),
        shares=percentages,
        changes=percentages,
        steps=figures | {abs(value) for value in figures},
        longest_ranking=len(result.rows),
    )


def _figures(result: QueryResult) -> Iterator[Decimal]:
    numbers = [at for at, column in enumerate(result.columns) if column.kind is ColumnKind.NUMBER]
    yield from (Decimal(cell) for row in result.rows for at in numbers if (cell := row[at]) is not None)
    check = result.cross_check
    yield from (value for value in (check.value, check.check) if value is not None) if check else ()


def _counts(tables: AnalysisTables) -> Iterator[int]:
    for table in tables.tables:
        profile = table.profile
        yield from (profile.facts.row_count, profile.counted_rows, profile.duplicate_rows)
        yield profile.facts.unreadable_rows
        for column in profile.facts.columns:
            yield from (column.missing, column.unparsable, column.missing + column.unparsable, column.distinct)


def _labels(result: QueryResult, tables: AnalysisTables) -> frozenset[str]:
    profiles = [table.profile.facts for table in tables.tables]
    texts = [at for at, column in enumerate(result.columns) if column.kind is not ColumnKind.NUMBER]
    cells = [cell for row in result.rows for at in texts if (cell := row[at]) is not None]
    limits = [text for facts in profiles for column in facts.columns for text in (column.minimum, column.maximum)]
    names = [*(table.name for table in tables.tables), *(facts.display_name for facts in profiles)]
    names += [column.name for facts in profiles for column in facts.columns]
    names += [column.name for column in result.columns]
    dated = (*cells, *_DAY.findall(result.sql), *(text for text in limits if text))
    days = {date.fromisoformat(text) for text in dated if _is_day(text)}
    spelled = (form for label in (*names, *cells) for form in (label, printable(label), phrase(label)))
    return frozenset(form for form in (*spelled, *names_of_days(days), *_years(result)) if form)


def _years(result: QueryResult) -> Iterator[str]:
    """Yield the years that the query names, and those that name rows: they count nothing."""
    yield from _YEAR.findall(result.sql)
    yield from (row[0] for row in result.rows if row and row[0] and _YEAR.fullmatch(row[0]))


def _is_day(text: str) -> bool:
    if not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
