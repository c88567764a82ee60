"""What a call of each engine says of it."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from maos.engines import EngineType
from maos.failures import FailureKind


class EngineState(StrEnum):
    """Whether an engine can be worked with."""

    OK = "ok"
    NOT_CALLED = "configured, not called"
    NOT_CONFIGURED = "not configured"
    FAILED = "failed"


class EngineCheck(BaseModel):
    """What came of calling an engine once; the reason is safe for clients."""

    model_config = ConfigDict(frozen=True)

    engine: EngineType
    state: EngineState
    reason: FailureKind | None = None
    latency_ms: int | None = None
    note: str = ""
