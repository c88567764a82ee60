"""Words that come with the data, made fit to be shown: column names and cell values."""

import re
import unicodedata
from collections.abc import Iterable

LONGEST_LABEL = 60
# Control characters break XML; format characters can reverse or hide the text around them.
UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[^\W_]+")


def printable(text: str, longest: int = LONGEST_LABEL) -> str:
    """Return the text on one line, without characters that cannot be seen, cut to a length."""
    seen = "".join(" " if unicodedata.category(char) in UNPRINTABLE else char for char in text)
    line = " ".join(seen.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def heading(name: str) -> str:
    """Return a column's name as a heading: `unit_price` becomes `Unit price`."""
    shown = phrase(name)
    return shown[:1].upper() + shown[1:]


def phrase(name: str) -> str:
    """Return a column's name as it stands in a sentence: `unit_price` becomes `unit price`."""
    return printable(name.replace("_", " ")) or "(unnamed)"


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a column's name in lower case: `orderId` has `order` and `id`."""
    return tuple(word.lower() for word in _WORD.findall(_HUMP.sub(" ", name)))


def distinct_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of columns as they are told apart: none empty, none twice, whatever the case."""
    found: dict[str, str] = {}
    for position, name in enumerate(names, start=1):
        # A null byte cannot be stored as text.
        clean = name.replace("\0", "").strip() or f"column_{position}"
        candidate, number = clean, 2
        while candidate.lower() in found:
            candidate, number = f"{clean}_{number}", number + 1
        found[candidate.lower()] = candidate
    return tuple(found.values())


def row_words(count: int) -> str:
    """Return a number of rows: `1 row`, `2,000 rows`."""
    return f"{count:,} row" if count == 1 else f"{count:,} rows"
