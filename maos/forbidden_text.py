"""Finding words in text, however they are written: case, width, line breaks and invisible signs do not hide them."""

import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from urllib.parse import unquote_plus

# JSON in text in JSON: what is wrapped more often is read as the text that it is.
_MOST_WRAPPINGS = 5


def texts_of(value: object) -> Iterator[tuple[str, str]]:
    """Return every text in a JSON object with the field it stands in.

    Names below the object's own fields count as well, JSON within text, and text as addresses quote it.
    """
    waiting: list[tuple[str, object, int]] = [("", value, 0)]
    while waiting:
        place, item, wrapped = waiting.pop()
        if isinstance(item, dict):
            # The names of the object's own fields are the action's; those below them are anybody's.
            names = [(place, str(name), _MOST_WRAPPINGS) for name in item if place]
            waiting += [*((place or str(name), part, wrapped) for name, part in reversed(item.items())), *names[::-1]]
        elif isinstance(item, list | tuple):
            waiting += [(place, part, wrapped) for part in reversed(item)]
        elif isinstance(item, str):
            yield place, item
            if (unquoted := unquote_plus(item)) != item:
                yield place, unquoted
            if wrapped < _MOST_WRAPPINGS and item.lstrip()[:1] in {"{", "[", '"'}:
                waiting.append((place, _parsed(item), wrapped + 1))
        elif isinstance(item, int | float) and not isinstance(item, bool):
            yield place, str(item)


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def words_in(terms: Iterable[str], plain: str) -> list[str]:
    """Return those of the terms that stand in a plain text as whole words."""
    return [term for term in sorted(terms) if _stands_in(plain, _word(term))]


def fields_in(names: Collection[str], text: str) -> list[str]:
    """Return those of the fields whose names stand in the text, in any of the ways in which names are joined."""
    if not names:
        return []
    plain = plain_of(_apart(text))
    return [name for name in sorted(names) if _stands_in(plain, _field(name))]


def plain_of(text: str) -> str:
    """Return a text without what hides a word to a program and not to a person."""
    seen = "".join(sign for sign in unicodedata.normalize("NFKC", text) if unicodedata.category(sign) != "Cf")
    return " ".join(seen.casefold().split())


def _apart(text: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)


@dataclass(frozen=True)
class _Sought:
    """What is looked for: the parts that must stand somewhere, found fast, and how they must stand."""

    parts: tuple[str, ...]
    form: re.Pattern[str]


def _stands_in(plain: str, sought: _Sought) -> bool:
    return all(part in plain for part in sought.parts) and sought.form.search(plain) is not None


@lru_cache(maxsize=2048)
def _word(term: str) -> _Sought:
    plain = plain_of(term)
    return _Sought((plain,), re.compile(rf"(?<![^\W_]){re.escape(plain)}(?![^\W_])"))


@lru_cache(maxsize=2048)
def _field(name: str) -> _Sought:
    parts = [part for part in re.split(r"[\s_-]+", plain_of(_apart(name))) if part]
    # A star by itself is a word of its own; else it would stand for nothing, or for a plural.
    words = [r"[^\W_]+" if part == "*" else re.escape(part).replace(r"\*", r"[^\W_]*") for part in parts]
    joints = [r"[\s_-]+" if "*" in pair else r"[\s_-]*" for pair in pairwise(parts)]
    joined = "".join(part for both in zip(words, [*joints, ""], strict=True) for part in both)
    form = re.compile(rf"(?<![^\W_]){joined}(?![^\W_])")
    return _Sought(tuple(bit for part in parts for bit in part.split("*") if bit), form)
