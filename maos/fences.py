"""Text of many lines, shown to a reviewer as it is and without effect in Markdown or HTML."""

import re
import unicodedata

from maos.labels import UNPRINTABLE

_BACKTICKS = re.compile(r"`+")


def fenced(text: str) -> str:
    """Return the text as a block of code that it cannot end, with what cannot be seen made visible."""
    lines = "\n".join("".join(map(_seen, line)) for line in text.splitlines())
    longest = max(map(len, _BACKTICKS.findall(lines)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{lines}\n{fence}"


def _seen(character: str) -> str:
    hidden = character != "\t" and unicodedata.category(character) in UNPRINTABLE
    return "\N{REPLACEMENT CHARACTER}" if hidden else character
