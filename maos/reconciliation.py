"""What has to be mended where a run's row and Prefect's state do not agree."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

# A flow process that is about to write its own end, or a decision that is about to wake its run, is left alone.
GRACE_SECONDS = 10.0


class FlowState(StrEnum):
    """Prefect's types of states, as far as they matter here."""

    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CRASHED = "CRASHED"
    CANCELLED = "CANCELLED"
    PAUSED = "PAUSED"
    UNDER_WAY = "UNDER_WAY"
    UNKNOWN = "UNKNOWN"


class Mending(StrEnum):
    """What brings the two into agreement."""

    CLOSE_AS_CANCELLED = "closed as cancelled"
    CLOSE_AS_FAILED = "closed as failed"
    WAKE = "woken"


class Sighting(BaseModel):
    """A run that has no end in the ledger, beside what Prefect says of it."""

    model_config = ConfigDict(frozen=True)

    state: FlowState
    seconds_in_state: float = Field(description="How long Prefect has known this state.")
    open_approvals: int = Field(description="Approvals that can still be decided.")


_ENDS: dict[FlowState, Mending] = {
    FlowState.CANCELLED: Mending.CLOSE_AS_CANCELLED,
    FlowState.FAILED: Mending.CLOSE_AS_FAILED,
    FlowState.CRASHED: Mending.CLOSE_AS_FAILED,
    FlowState.COMPLETED: Mending.CLOSE_AS_FAILED,
    FlowState.UNKNOWN: Mending.CLOSE_AS_FAILED,
}


def mending_of(sighting: Sighting, *, grace_seconds: float) -> Mending | None:
    """Return what to do about a run without an end, or None when all is as it should be."""
    if sighting.seconds_in_state < grace_seconds:
        return None
    if sighting.state is FlowState.PAUSED:
        # Decided or expired, but asleep: whoever decided died before waking it, or nobody came in time.
        return None if sighting.open_approvals else Mending.WAKE
    return _ENDS.get(sighting.state)
