"""What past decisions teach: how surely people approve actions that are alike, and when they need not be asked again.

A person signs every exemption; nothing here lets an action run by itself.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import sqrt
from statistics import NormalDist
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from maos.autonomy import AutonomyLevel
from maos.parameter_shape import SHAPE_VERSION
from maos.risk import RiskLevel

LEAST_BOUND = 0.98
LEAST_DECISIONS = 200
LEAST_DECIDERS = 2
EXEMPTIBLE = frozenset({RiskLevel.LOW, RiskLevel.MEDIUM})

# Older decisions say little about how people decide now.
REMEMBERED = timedelta(days=365)
# After one was rejected, left unsigned or withdrawn, nobody is asked for it again for so long.
QUIET = timedelta(days=30)
SIGNED_WITHIN = timedelta(days=14)

# How an approval was decided in which an exemption stood in the place of a person.
BY_EXEMPTION = "exemption"
# The step of a proposal, which belongs to no run: no step can be called so.
EXEMPTION_STEP = "(exemption)"

_Z_95 = NormalDist().inv_cdf(0.975)


def wilson_lower_bound(successes: int, trials: int) -> float:
    """Return the lower end of the 95 % score interval of a proportion; 0 without trials.

    E. B. Wilson (1927): Probable inference, the law of succession, and statistical inference. Journal of the American
    Statistical Association 22 (158), 209-212.

    Raises:
        ValueError: when there are more successes than trials, or fewer than none.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials")
    if trials == 0:
        return 0.0
    share, square = successes / trials, _Z_95**2
    centre = share + square / (2 * trials)
    half = _Z_95 * sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    # Without any success the two are equal but for the last digit.
    return max(0.0, (centre - half) / (1 + square / trials))


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Likeness(_Value):
    """What actions have in common whose decisions are counted together."""

    team: str | None
    action: str
    shape: str
    shape_version: int = SHAPE_VERSION
    risk: RiskLevel

    @property
    def in_words(self) -> str:
        """Which actions they are."""
        of_team = f" of team {self.team}" if self.team else ""
        return f"{self.action} ({self.risk.value}){of_team}: {self.shape}"


class TrackRecord(_Value):
    """How people have decided actions that are alike, and what became of what they approved."""

    decisions: int = Field(ge=0, description="Looked at one by one, rejections of any kind included.")
    approvals: int = Field(ge=0, description="Those of them that let the action run just as it was asked.")
    by_person: Mapping[str, int] = Field(default_factory=dict, description="On how many of them each has voted.")
    at_once: int = Field(default=0, description="Approved in bulk or with a plan: not counted.")
    rollbacks: int = Field(default=0, description="Approved actions that failed, were in doubt, or marked as wrong.")

    @property
    def bound(self) -> float:
        """The lower end of the 95 % interval of approval."""
        return wilson_lower_bound(self.approvals, self.decisions)

    @property
    def deciders(self) -> int:
        """How many people have decided."""
        return len(self.by_person)

    @property
    def majority(self) -> frozenset[str]:
        """Whoever has made more than half of the decisions: an exemption would be by their judgement alone."""
        return frozenset(person for person, number in self.by_person.items() if 2 * number > self.decisions)


def lacking(likeness: Likeness, record: TrackRecord) -> tuple[str, ...]:
    """Return, in words, what keeps actions from being proposed for an exemption; nothing when they qualify."""
    reasons = []
    if likeness.risk not in EXEMPTIBLE:
        reasons.append(f"{likeness.risk.value} risk is always asked")
    if likeness.shape_version != SHAPE_VERSION:
        reasons.append(f"shapes of version {likeness.shape_version} no longer count")
    if record.decisions < LEAST_DECISIONS:
        reasons.append(f"{record.decisions} of {LEAST_DECISIONS} decisions")
    if record.deciders < LEAST_DECIDERS:
        reasons.append(f"{record.deciders} of {LEAST_DECIDERS} people")
    if record.bound < LEAST_BOUND:
        reasons.append(f"bound {record.bound:.4f} of {LEAST_BOUND}")
    if record.rollbacks:
        reasons.append(f"{record.rollbacks} rolled back")
    return tuple(reasons)


class Exemption(_Value):
    """Actions that need not be asked about in semi-autonomous mode, once a person has signed it."""

    id: UUID
    org_id: UUID
    likeness: Likeness
    approval_id: UUID
    proposed_at: datetime
    signed_by: str | None = None
    signed_at: datetime | None = None
    withdrawn_at: datetime | None = None
    withdrawn_reason: str | None = None

    @property
    def in_force(self) -> bool:
        """Whether it is signed, and nobody and nothing has withdrawn it."""
        return self.signed_at is not None and self.withdrawn_at is None

    @property
    def name(self) -> str:
        """What stands in the place of a person where it has let an action run."""
        return f"exemption {self.id}"


def may_be_exempt(risk: RiskLevel, *, level: AutonomyLevel, always_asks: bool) -> bool:
    """Say whether any exemption could let an action run unasked.

    Args:
        risk: the final one, after everything that raises it.
        always_asks: the action itself or the rules demand a person.
    """
    return level is AutonomyLevel.SEMI_AUTONOMOUS and risk in EXEMPTIBLE and not always_asks


def exempts(exemption: Exemption, likeness: Likeness, *, level: AutonomyLevel, always_asks: bool) -> bool:
    """Say whether an exemption lets exactly this action run unasked."""
    return (
        exemption.in_force
        and exemption.likeness == likeness
        and likeness.shape_version == SHAPE_VERSION
        and may_be_exempt(likeness.risk, level=level, always_asks=always_asks)
    )
