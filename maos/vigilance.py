"""The rubber-stamp meter: how long people look at what they decide, against how long reading it takes."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from statistics import median
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from maos.approvals import Decision, DecisionPath
from maos.risk import RiskLevel

# M. Brysbaert (2019): How many words do we read per minute? A review and meta-analysis of reading rate. Journal of
# Memory and Language 109, 104047. English non-fiction, silently: 238 words a minute, most adults 175 to 300.
WORDS_PER_MINUTE = 238
FASTEST_WORDS_PER_MINUTE = 300
# Five letters and a space, as typists count.
_CHARACTERS_PER_WORD = 6
_AT_A_GLANCE_SECONDS = 5.0
# One submission of a form casts its votes within moments.
_ONE_SUBMISSION_SECONDS = 5.0
# Fewer say nothing about a person.
_FEWEST = 5

_AT_ONCE = frozenset({DecisionPath.BULK, DecisionPath.PLAN})


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Look(_Value):
    """One vote, as far as it tells how it came about."""

    person: str
    risk: RiskLevel
    decision: Decision
    via: DecisionPath
    run_id: UUID | None
    asked_at: datetime
    voted_at: datetime
    characters: int = Field(ge=0, description="Length of what there was to read.")


class Vigilance(_Value):
    """How one person has decided actions of one risk."""

    person: str
    risk: RiskLevel
    decisions: int
    at_once: int = Field(description="In bulk or with a plan; nothing is known of how these were read.")
    approval_rate: float
    median_seconds: float = Field(description="From the question to the vote.")
    words_per_minute: float | None = Field(description="Median; none where nothing was read one by one.")
    too_fast: int = Field(description="Decided faster than a person reads.")
    at_a_glance: float | None = Field(description="Share decided within five seconds of looking.")

    @property
    def flagged(self) -> bool:
        """Whether more than half were decided faster than anybody reads."""
        read = self.decisions - self.at_once
        return read >= _FEWEST and 2 * self.too_fast > read


class _Reading(_Value):
    """A look with the time that there was for it at most."""

    look: Look
    seconds: float
    words_per_minute: float


def vigilance_of(looks: Sequence[Look]) -> tuple[Vigilance, ...]:
    """Return how each person has decided each risk, in the order of their names and of the risks."""
    readings: defaultdict[tuple[str, RiskLevel], list[_Reading]] = defaultdict(list)
    by_person: defaultdict[str, list[Look]] = defaultdict(list)
    by_class: defaultdict[tuple[str, RiskLevel], list[Look]] = defaultdict(list)
    for look in looks:
        by_person[look.person].append(look)
        by_class[look.person, look.risk].append(look)
    for own in by_person.values():
        for reading in _readings(sorted(own, key=lambda look: look.voted_at)):
            readings[reading.look.person, reading.look.risk].append(reading)
    order = sorted(by_class, key=lambda key: (key[0], key[1].rank))
    return tuple(_vigilance(key, by_class[key], readings[key]) for key in order)


def _vigilance(key: tuple[str, RiskLevel], looks: Sequence[Look], readings: Sequence[_Reading]) -> Vigilance:
    glances = sum(reading.seconds < _AT_A_GLANCE_SECONDS for reading in readings)
    return Vigilance(
        person=key[0],
        risk=key[1],
        decisions=len(looks),
        at_once=sum(look.via in _AT_ONCE for look in looks),
        approval_rate=sum(look.decision.approves for look in looks) / len(looks),
        median_seconds=median((look.voted_at - look.asked_at).total_seconds() for look in looks),
        words_per_minute=median(reading.words_per_minute for reading in readings) if readings else None,
        too_fast=sum(reading.words_per_minute > FASTEST_WORDS_PER_MINUTE for reading in readings),
        at_a_glance=glances / len(readings) if readings else None,
    )


def _readings(looks: Sequence[Look]) -> list[_Reading]:
    """Return how long a person had for each of their votes at most: since it was asked, and since their vote before.

    What one submission decides was read together.
    """
    found: list[_Reading] = []
    before: datetime | None = None
    for _, together in groupby(_numbered(looks), key=lambda each: each[0]):
        sitting = [look for _, look in together]
        begun = min(look.asked_at for look in sitting)
        ended = sitting[-1].voted_at
        seconds = max(0.0, (ended - max(begun, before or begun)).total_seconds())
        words = sum(look.characters for look in sitting) / _CHARACTERS_PER_WORD
        # A clock that stood still must not divide by zero.
        speed = words / max(seconds, 0.001) * 60
        if sitting[0].via not in _AT_ONCE:
            found += [_Reading(look=look, seconds=seconds, words_per_minute=speed) for look in sitting]
        before = ended
    return found


def _numbered(looks: Sequence[Look]) -> list[tuple[int, Look]]:
    """Number a person's votes by the submission that they came with."""
    numbered: list[tuple[int, Look]] = []
    number, first = 0, None
    for look in looks:
        if first is None or not _together(first, look):
            number, first = number + 1, look
        numbered.append((number, look))
    return numbered


def _together(first: Look, look: Look) -> bool:
    if first.via is not look.via:
        return False
    if look.via in _AT_ONCE:
        return True
    near = (look.voted_at - first.voted_at).total_seconds() <= _ONE_SUBMISSION_SECONDS
    return look.via is DecisionPath.FORM and look.run_id == first.run_id and near


def vigilance_as_markdown(org: str, found: Sequence[Vigilance], *, since: datetime, until: datetime) -> str:
    """Return the report of an organisation's reviewers as its owners read it."""
    head = f"# How {org} decided, {since:%Y-%m-%d} to {until:%Y-%m-%d}\n\n"
    if not found:
        return f"{head}Nobody decided anything.\n"
    names = ("person", "risk", "decisions", "at once", "approved", "median time", "words a minute", "under 5 s", "")
    rows = "\n".join(f"| {' | '.join(_cells(each))} |" for each in found)
    return (
        f"{head}| {' | '.join(names)} |\n|{'---|' * len(names)}\n{rows}\n\n"
        f"People read about {WORDS_PER_MINUTE} words a minute, most not more than {FASTEST_WORDS_PER_MINUTE} "
        "(Brysbaert 2019). Time is counted from the question, or from the person's vote before: nobody can have read "
        "longer. What is decided at once with others counts for no speed.\n"
    )


def _cells(each: Vigilance) -> list[str]:
    return [
        "`" + each.person.replace("|", "").replace("`", "'") + "`",
        each.risk.value,
        str(each.decisions),
        str(each.at_once),
        f"{each.approval_rate:.0%}",
        f"{each.median_seconds:.0f} s",
        "" if each.words_per_minute is None else f"{each.words_per_minute:.0f}",
        "" if each.at_a_glance is None else f"{each.at_a_glance:.0%}",
        "**faster than reading**" if each.flagged else "",
    ]
