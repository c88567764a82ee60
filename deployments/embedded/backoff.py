"""When a part that keeps ending may be started again."""

from dataclasses import dataclass

_LONGEST_SECONDS = 30.0
_STEADY_SECONDS = 60.0


@dataclass
class Backoff:
    """Doubles the pause between starts until a start has lasted."""

    starts: int = 0
    last: float = float("-inf")

    def may_start(self, now: float) -> bool:
        """Say whether the pause since the last start is over."""
        return now >= self.last + min(2.0 ** (self.starts - 1), _LONGEST_SECONDS)

    def note_start(self, now: float) -> None:
        """Count a start, from one again where the last one has lasted."""
        self.starts = self.starts + 1 if now - self.last < _STEADY_SECONDS else 1
        self.last = now
