"""What the words of a question mean, by rule: which columns, values, periods and numbers of the tables they name."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from maos.analysis import AnalysisTable, TableColumn
from maos.datasets import ColumnFacts, ColumnKind, is_leading
from maos.labels import words_of
from maos.periods import MONTHS

_WORD = re.compile(r"[^\W_]+")
# Words that carry nothing of the data: a question may have them in any number.
_EMPTY = """
a about across all along altogether am among an and any are as at based be been between bring brought by can come comes
compare compared data dataset did do does during each entire entries entry ever every find for from get gets give had
has have her his how i in into is it its list look made make makes me much my number of on one ones or our out over
overall per please record records row rows see sell sells show sold tell that the their them there these they this
those to together us using value values was we were what when where which who whole whose will with within would you
your
"""
# With dates beside them they bound a range, which is more than these rules can read.
_RANGE = frozenset({"between", "from", "to"})
# What follows names a group, whatever else it could mean.
_BY = frozenset({"by", "per", "each", "every", "across"})
# A number beside one of these says how many are asked for.
_RANKING = frozenset({
    "top", "bottom", "best", "worst", "most", "least", "fewest", "leading", "highest", "lowest", "largest", "smallest",
    "biggest", "greatest", "strongest", "weakest",
})  # fmt: skip
# What stands for the leading measure where no column has this name.
_MEASURE_WORDS = frozenset({"sale", "turnover", "income", "amount", "money", "revenue"})


def stem(word: str) -> str:
    """Return a word without the ending of its plural."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


@dataclass(frozen=True)
class Meant:
    """What a question means in one table."""

    table: AnalysisTable
    columns: tuple[str, ...]
    filters: tuple[tuple[str, str], ...]
    years: tuple[int, ...]
    months: tuple[int, ...]
    # Words that mean nothing here.
    unknown: tuple[str, ...]
    leading: bool = False
    words: tuple[str, ...] = field(default=(), repr=False)

    def facts(self, name: str) -> ColumnFacts:
        """Return the facts of a column."""
        return self.table.profile.facts.column(name)


def words_in(question: str) -> list[str]:
    """Return the words of a question in lower case, without plurals."""
    return [stem(word.lower()) for word in _WORD.findall(question)]


def meant_in(table: AnalysisTable, question: str, *, understood: frozenset[str]) -> Meant:
    """Read a question against one table.

    Args:
        understood: words that say what to compute, not of what.
    """
    words = words_in(question)
    left = set(range(len(words)))
    columns = [column.name for column in table.columns if _take(words_of(column.name), words, left)]
    columns += _by_a_word(table, words, left)
    filters = [(column.name, value) for column, value in _values(table) if _take(words_of(value), words, left)]
    years = [int(words[at]) for at in sorted(left) if re.fullmatch(r"(?:1[89]|2[01])[0-9]{2}", words[at])]
    months = [number for number, name in enumerate(MONTHS, start=1) for at in left if words[at] == stem(name.lower())]
    has_dates = any(column.kind is ColumnKind.DATE for column in table.profile.facts.columns)
    dated = {stem(name.lower()) for name in MONTHS} | {str(year) for year in years} if has_dates else set()
    leading = any(words[at] in _MEASURE_WORDS for at in left) and _leading(table) is not None
    known = _known(table) | dated | (_MEASURE_WORDS if leading else frozenset())
    ranges = _RANGE if has_dates and (years or months) else frozenset()
    known = (known | understood) - ranges - {str(number) for number in range(1000)}
    unknown = [words[at] for at in sorted(left) if words[at] not in known or _names_a_group(table, words, at)]
    return Meant(
        table=table,
        columns=tuple(dict.fromkeys(columns)),
        filters=tuple(filters),
        years=tuple(years) if has_dates else (),
        months=tuple(dict.fromkeys(months)) if has_dates else (),
        unknown=tuple(dict.fromkeys(word for word in unknown if word != str(ranked_number(words)))),
        leading=leading,
        words=tuple(words),
    )


def _by_a_word(table: AnalysisTable, words: Sequence[str], left: set[int]) -> Iterator[str]:
    """Yield the columns that a single word stands for: `discount` for `discount_pct`, where no other column has it."""
    for at in sorted(left):
        named = [each.name for each in table.columns if words[at] in map(stem, words_of(each.name))]
        if len(named) == 1 and words[at] not in _known(table):
            left.discard(at)
            yield named[0]


def _known(table: AnalysisTable) -> frozenset[str]:
    return frozenset(map(stem, _EMPTY.split())) | {stem(word) for word in words_of(table.name)}


def _names_a_group(table: AnalysisTable, words: Sequence[str], at: int) -> bool:
    """Say whether a word of the table's name stands where a group is asked for, which no column is called after."""
    return at > 0 and words[at - 1] in _BY and words[at] in map(stem, words_of(table.name))


def _leading(table: AnalysisTable) -> str | None:
    return next((column.name for column in table.columns if is_leading(column.name)), None)


def _values(table: AnalysisTable) -> Iterator[tuple[TableColumn, str]]:
    return ((column, value) for column in table.columns for value in column.values)


def _take(name: Sequence[str], words: Sequence[str], left: set[int]) -> bool:
    """Say whether the words of a name stand together in the question, and take them out of what is left."""
    wanted = [stem(word) for word in name]
    size, found = len(wanted), False
    for start in range(len(words) - size + 1) if wanted else ():
        places = range(start, start + size)
        if [words[at] for at in places] == wanted and left.issuperset(places):
            left.difference_update(places)
            found = True
    return found


def ranked_number(words: Sequence[str]) -> int | None:
    """Return how many are asked for: the 5 of `top 5` and of `5 best`."""
    for one, other in pairwise(words):
        for number, beside in ((other, one), (one, other)):
            if number.isdigit() and 0 < int(number) < 1000 and beside in _RANKING:
                return int(number)
    return None
