"""What an agent's step has used of its limits, and when it must end."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from maos.errors import LimitReached
from maos.investigation import AgentLimits

# Of one reply, thinking included.
LONGEST_REPLY_TOKENS = 8192
# A reply shorter than this says nothing: tokens are then used up.
_SHORTEST_REPLY_TOKENS = 256
MOST_IDENTICAL_CALLS = 3
# One proposal of what was refused is answered with the refusal; the next one, the third of its kind, ends the step.
MOST_PROPOSALS_AGAIN = 1


@dataclass(frozen=True)
class Used:
    """What a step has used so far, in all its turns and failed calls, whoever made them."""

    turns: int = 0
    tokens: int = 0
    money_usd: Decimal = Decimal(0)
    seconds: float = 0.0


def reply_tokens(limits: AgentLimits, used: Used) -> int:
    """Return how long the next reply may be.

    Raises:
        LimitReached: naming the limit that is used up.
    """
    if used.turns >= limits.turns:
        raise LimitReached("turns", f"{limits.turns}", f"{used.turns} are used")
    left = limits.tokens - used.tokens
    if left < _SHORTEST_REPLY_TOKENS:
        raise LimitReached("tokens", f"{limits.tokens}", f"{used.tokens} are used")
    check_time(limits, used.seconds)
    return min(LONGEST_REPLY_TOKENS, left)


def check_time(limits: AgentLimits, seconds: float) -> None:
    """Refuse to go on after so many seconds of work.

    Raises:
        LimitReached: saying how long was worked.
    """
    if seconds >= limits.wall_seconds:
        raise LimitReached("wall time", f"{limits.wall_seconds:g} s", f"{seconds:.0f} s are used")


def check_money(limits: AgentLimits, used: Used, ceiling_usd: Decimal) -> None:
    """Refuse a call that could pass the limit of money.

    Raises:
        LimitReached: saying what is left and what the call could cost.
    """
    left = limits.money_usd - used.money_usd
    if ceiling_usd > left:
        words = f"{left.normalize():f} USD are left and the next call could cost {ceiling_usd.normalize():f} USD"
        raise LimitReached("money", f"{limits.money_usd.normalize():f} USD", words)


def repetition(calls: Mapping[str, int], again: Mapping[str, int], names: Mapping[str, str]) -> LimitReached | None:
    """Say in what way an agent goes round in a circle, if it does.

    Args:
        calls: how often each call was made.
        again: how often each was proposed again after a person had refused it.
        names: the tool of each.
    """
    for call, count in again.items():
        if count > MOST_PROPOSALS_AGAIN:
            words = f"{names[call]!r} was refused, and is proposed for the {count + 1}. time"
            return LimitReached("proposals of a refused call", f"{MOST_PROPOSALS_AGAIN + 1}", words)
    for call, count in calls.items():
        if count > MOST_IDENTICAL_CALLS:
            words = f"{names[call]!r} was called {count} times with the same arguments"
            return LimitReached("identical calls", f"{MOST_IDENTICAL_CALLS}", words)
    return None
