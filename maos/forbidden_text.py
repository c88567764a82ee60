"""Finding words in text, however they are written: case, width, line breaks and invisible signs do not hide them."""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise

# Deeper than any outcome of ours; what lies deeper is read as the text it stands in.
_DEEPEST = 50


def texts_of(value: object, place: str = "", *, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Return every text in a JSON value with the field it stands in; names within it, and JSON within text, count."""
    if isinstance(value, str):
        yield place, value
        if depth < _DEEPEST and value.lstrip()[:1] in {"{", "[", '"'}:
            yield from texts_of(_parsed(value), place, depth=depth + 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            # The field that the action itself declares is no text of anybody's.
            if place:
                yield place, str(name)
            yield from texts_of(item, place or str(name), depth=depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_of(item, place, depth=depth + 1)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield place, str(value)


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def words_in(terms: Iterable[str], text: str) -> list[str]:
    """Return those of the terms that stand in the text as whole words."""
    plain = _plain(text)
    return [term for term in sorted(terms) if _word(term).search(plain)]


def fields_in(names: Iterable[str], text: str) -> list[str]:
    """Return those of the fields whose names stand in the text, in any of the ways in which names are joined."""
    plain = _plain(_apart(text))
    return [name for name in sorted(names) if _field(name).search(plain)]


def _plain(text: str) -> str:
    seen = "".join(sign for sign in unicodedata.normalize("NFKC", text) if unicodedata.category(sign) != "Cf")
    return " ".join(seen.casefold().split())


def _apart(text: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)


@lru_cache(maxsize=2048)
def _word(term: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){re.escape(_plain(term))}(?![^\W_])")


@lru_cache(maxsize=2048)
def _field(name: str) -> re.Pattern[str]:
    parts = [part for part in re.split(r"[\s_-]+", _plain(_apart(name))) if part]
    # A star by itself is a word of its own; else it would stand for nothing, or for a plural.
    words = [r"[^\W_]+" if part == "*" else re.escape(part).replace(r"\*", r"[^\W_]*") for part in parts]
    joints = [r"[\s_-]+" if "*" in pair else r"[\s_-]*" for pair in pairwise(parts)]
    joined = "".join(part for both in zip(words, [*joints, ""], strict=True) for part in both)
    return re.compile(rf"(?<![^\W_]){joined}(?![^\W_])")
