"""The query of a rehearsal: a question is read by its words, and what they do not say is not guessed."""

from collections.abc import Callable, Iterable

from maos.analysis import AnalysisTables, WrittenQuery
from maos.labels import printable
from maos.question_words import Meant, meant_in, stem
from maos.rehearsed_sql import GRAINS, Reading, read
from maos.rehearsed_statistics import correlations, missing_values, outliers
from maos.rehearsed_totals import grouped, ranked, totals, trend

_MOST_NAMED = 5


def _stems(words: str) -> frozenset[str]:
    return frozenset(map(stem, words.split()))


# The first whose words a question has says what is computed.
_KINDS: tuple[tuple[frozenset[str], Callable[[Reading], WrittenQuery]], ...] = (
    (_stems("missing empty blank incomplete null absent"), missing_values),
    (_stems("outlier outliers unusual anomaly anomalies extreme extremes suspicious"), outliers),
    (_stems("correlation correlations correlate correlated related relationship depend depends"), correlations),
    (_stems("trend trends develop developed development course growth grow grew") | frozenset(GRAINS), trend),
    (_stems("top best most highest largest biggest leading strongest greatest"), ranked),
    (_stems("bottom worst least lowest smallest weakest fewest"), ranked),
)
_FIGURES = _stems("total totals sum average averages mean count counts many altogether")
_UNDERSTOOD = _FIGURES.union(*(words for words, _ in _KINDS))


def rehearsed_query(question: str, tables: AnalysisTables) -> WrittenQuery:
    """Return the query for a question, or what the tables lack for it."""
    read_in = (meant_in(table, question, understood=_UNDERSTOOD) for table in tables.tables)
    meant = min(read_in, key=lambda each: (len(each.unknown), -len(each.columns) - len(each.filters)))
    if meant.unknown:
        return refused(
            f"Nothing in the table “{meant.table.name}” is called “{printable(word)}”."
            for word in meant.unknown[:_MOST_NAMED]
        )
    if not _says_something(meant):
        return refused(["A word in the question that names a column or says what to compute."])
    return _built(read(meant))


def _says_something(meant: Meant) -> bool:
    return bool(meant.columns or meant.filters or meant.leading or _UNDERSTOOD.intersection(meant.words))


def _built(reading: Reading) -> WrittenQuery:
    words = frozenset(reading.meant.words)
    build = next((kind for named, kind in _KINDS if named & words), grouped if reading.dimension else totals)
    # These say themselves what they lack.
    if reading.lacks and build not in (missing_values, outliers, correlations):
        return refused(reading.lacks)
    return build(reading)


def refused(missing: Iterable[str]) -> WrittenQuery:
    """Return the answer that there is none."""
    return WrittenQuery(answerable=False, missing=tuple(missing))
