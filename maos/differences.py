"""Where JSON values differ, path by path, and how to show that in little room."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from maos.canonical import canonical_json, digest_of
from maos.visible import visible

ABSENT: Final = object()
_CONTEXT, _MARK = 8, 8


# Any: JSON of any form.
def compared(values: Sequence[Any], path: str = "") -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield each path with what the values have there, as deep as they are of one form.

    What is equal in all of them comes whole, under the shortest path at which it is.
    """
    if path and all_same(values):
        yield path, tuple(values)
    elif all(isinstance(value, dict) for value in values):
        for name in dict.fromkeys(name for value in values for name in value):
            yield from compared([value.get(name, ABSENT) for value in values], f"{path}.{name}" if path else name)
    elif all(isinstance(value, list) for value in values) and len({len(value) for value in values}) == 1:
        for place, items in enumerate(zip(*values, strict=True)):
            yield from compared(items, f"{path}[{place}]")
    else:
        yield path, tuple(values)


def differences(values: Sequence[Any]) -> list[tuple[str, tuple[Any, ...]]]:
    """Return where the values are not all the same."""
    return [(path, found) for path, found in compared(values) if not all_same(found)]


def all_same(values: Sequence[Any]) -> bool:
    """Say whether values are one and the same JSON."""
    return len({None if value is ABSENT else canonical_json(value) for value in values}) == 1


def in_words(value: Any) -> str:
    """Return a value as text: text as it is, everything else as JSON, nothing where there is none."""
    if value is ABSENT:
        return ""
    return visible(value if isinstance(value, str) else canonical_json(value))


def cut(text: str, *, at_most: int) -> str:
    """Return text that is short enough, with a sign where something is left out."""
    return text if len(text) <= at_most else text[: at_most - 1] + "…"


def cut_alike(texts: Sequence[str], *, at_most: int) -> tuple[str, ...]:
    """Return texts that are short enough, each cut so that it can be seen where, and whether, they differ."""
    same = _alike_for(texts)
    if max(map(len, texts), default=0) <= at_most:
        return tuple(texts)
    begins = same - _CONTEXT if same > at_most - _MARK else 0
    return tuple(_cut_from(begins, text, at_most) for text in texts)


def _cut_from(begins: int, text: str, at_most: int) -> str:
    shown = "…" + text[begins:] if begins > 0 else text
    if len(shown) <= at_most:
        return shown
    # What is cut off may be all the difference there is.
    return f"{shown[: at_most - _MARK]}…#{digest_of(text)[:6]}"


def _alike_for(texts: Sequence[str]) -> int:
    """Return for how many characters the texts are the same."""
    first, last = min(texts, default=""), max(texts, default="")
    return next((place for place, pair in enumerate(zip(first, last, strict=False)) if len(set(pair)) > 1), len(first))
