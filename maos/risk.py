"""How much harm an action can do."""

from enum import StrEnum


class RiskLevel(StrEnum):
    """Risk of an action, from reading (low) to moving money or deleting (critical)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"
