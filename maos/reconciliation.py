"""What has to be mended where a run's row and Prefect's state do not agree."""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from maos.runs import GateKind

# A flow process that is about to write its own end, or a decision that is about to wake its run, is left alone.
GRACE_SECONDS = 10.0
# A worker that has accepted a run starts its process well within this.
START_SECONDS = 30.0

# Why a run ended whose flow run was cancelled in Prefect, whoever writes it first: the hook or a reconciliation.
CANCELLED_IN_PREFECT = "an operator cancelled the run"

# What the state of a run that is to be taken up again is called in Prefect.
RECOVERY_STATE = "AwaitingRecovery"


class FlowState(StrEnum):
    """Prefect's types of states, as far as they matter here."""

    SCHEDULED = "SCHEDULED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    CANCELLING = "CANCELLING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CRASHED = "CRASHED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


class Mending(StrEnum):
    """What brings the two into agreement."""

    CLOSE_AS_CANCELLED = "closed as cancelled"
    CLOSE_AS_FAILED = "closed as failed"
    WAKE = "woken"
    RECOVER = "taken up again"
    TELL_PREFECT = "Prefect was told its end"


class Sighting(BaseModel):
    """A run as its row says, beside what Prefect says of it."""

    model_config = ConfigDict(frozen=True)

    state: FlowState
    seconds_in_state: float = Field(description="How long Prefect has known this state.")
    open_approvals: int = Field(default=0, description="Approvals that can still be decided.")
    gate_kind: GateKind = GateKind.APPROVALS
    held: bool = False
    leased: bool = Field(default=False, description="Whether a living process holds the run.")
    ended: bool = Field(default=False, description="Whether the row has its end.")


_ENDED_BY_PREFECT: Mapping[FlowState, Mending] = {
    FlowState.CANCELLED: Mending.CLOSE_AS_CANCELLED,
    FlowState.FAILED: Mending.RECOVER,
    FlowState.CRASHED: Mending.RECOVER,
    FlowState.COMPLETED: Mending.CLOSE_AS_FAILED,
    FlowState.UNKNOWN: Mending.CLOSE_AS_FAILED,
}
# Their process is gone, if no lease says otherwise.
_WITHOUT_PROCESS: Mapping[FlowState, Mending] = {
    FlowState.RUNNING: Mending.RECOVER,
    FlowState.PENDING: Mending.RECOVER,
    FlowState.CANCELLING: Mending.CLOSE_AS_CANCELLED,
}
_UNAWARE = frozenset({FlowState.RUNNING, FlowState.PAUSED, FlowState.CANCELLING})


def mending_of(sighting: Sighting, *, grace_seconds: float) -> Mending | None:
    """Return what to do about a run, or None when all is as it should be."""
    grace = max(grace_seconds, START_SECONDS) if sighting.state is FlowState.PENDING else grace_seconds
    if sighting.seconds_in_state < grace:
        return None
    if sighting.ended:
        return Mending.TELL_PREFECT if sighting.state in _UNAWARE and not sighting.leased else None
    if sighting.state is FlowState.PAUSED:
        return None if _waits(sighting) else Mending.WAKE
    if sighting.state in _WITHOUT_PROCESS:
        return None if sighting.leased else _WITHOUT_PROCESS[sighting.state]
    return _ENDED_BY_PREFECT.get(sighting.state)


def _waits(sighting: Sighting) -> bool:
    """Say whether what the form shows is still to be answered; a run that was decided or released must not sleep."""
    return sighting.held if sighting.gate_kind is GateKind.HOLD else sighting.open_approvals > 0
