"""Who waits for a person: autonomy of the run against risk of the action."""

from enum import StrEnum

from maos.risk import RiskLevel


class AutonomyLevel(StrEnum):
    """How much an organisation lets a run do unasked."""

    SUPERVISED = "supervised"
    SEMI_AUTONOMOUS = "semi_autonomous"
    AUTONOMOUS = "autonomous"


_RUNS_UNASKED: dict[AutonomyLevel, frozenset[RiskLevel]] = {
    AutonomyLevel.SUPERVISED: frozenset(),
    AutonomyLevel.SEMI_AUTONOMOUS: frozenset({RiskLevel.LOW}),
    AutonomyLevel.AUTONOMOUS: frozenset(RiskLevel) - {RiskLevel.CRITICAL},
}


def needs_approval(
    level: AutonomyLevel, risk: RiskLevel, *, read_only: bool = False, read_only_exempt: bool = False
) -> bool:
    """Say whether a person must approve an action of this risk.

    Args:
        read_only_exempt: the organisation lets read-only actions of low risk run unasked even when supervised.
    """
    if read_only and read_only_exempt and risk is RiskLevel.LOW:
        return False
    return risk not in _RUNS_UNASKED[level]


def stricter(first: AutonomyLevel, second: AutonomyLevel) -> AutonomyLevel:
    """Return the level that lets less run unasked."""
    return min(first, second, key=lambda level: len(_RUNS_UNASKED[level]))


def autonomy_table() -> dict[str, list[str]]:
    """Return which risks run unasked at each level, as plain data."""
    return {level.value: sorted(risk.value for risk in risks) for level, risks in _RUNS_UNASKED.items()}
