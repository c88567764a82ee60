"""What this process has found out about the contents of files: the same content is not looked through twice.

Planning, profile and figures of a run read the same files, mostly in one process and those forked from it.
"""

from collections import OrderedDict
from typing import Generic, TypeVar

T = TypeVar("T")

_MOST = 64


class KnownContents(Generic[T]):
    """What was found out, by what tells contents apart; what was kept longest ago is forgotten."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, T] = OrderedDict()

    def get(self, content: str) -> T | None:
        """Return what is known of a content."""
        return self._found.get(content)

    def keep(self, content: str, found: T) -> T:
        """Remember, and return, what was found out about a content; of no content nothing is remembered."""
        if content:
            self._found[content] = found
            if len(self._found) > _MOST:
                self._found.popitem(last=False)
        return found
