"""Taking out of a file what its readers must not see, and saying where."""

from collections.abc import Callable
from typing import Any

from maos.evidence import pointer

# Any: plain JSON.
Plain = Any


class Censor:
    """Changes every text of a document, names of members included, and remembers where one became another."""

    def __init__(self, change: Callable[[str], str]) -> None:
        self._change = change
        self.withheld: list[str] = []

    def clean(self, value: Plain, *place: str | int) -> Plain:
        """Return a part of the document as it may be read."""
        if isinstance(value, str):
            return self._clean_text(value, place)
        if isinstance(value, dict):
            return {
                self._clean_text(name, (*place, name)): self.clean(part, *place, name) for name, part in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.clean(part, *place, number) for number, part in enumerate(value)]
        return value

    def _clean_text(self, text: str, place: tuple[str | int, ...]) -> str:
        clean = self._change(text)
        if clean != text:
            # A name that was taken out must not stand in its own place.
            seen = tuple(self._change(part) if isinstance(part, str) else part for part in place)
            self.withheld.append(pointer(seen))
        return clean
