"""What every layer knows of a run, and what its ledger says at one moment."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import JsonObject
from maos.approvals import Approval
from maos.autonomy import AutonomyLevel
from maos.plans import Plan
from maos.statuses import RunStatus


class Run(BaseModel):
    """A run as it was opened: fixed for its whole life but for status, attempt and gate."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    org_id: UUID
    org: str = Field(description="Slug of the organisation.")
    title: str
    initiator: str
    entrypoint: str
    plan: Plan
    plan_digest: str
    rules_digest: str
    autonomy: AutonomyLevel
    read_only_exempt: bool
    rehearsal: bool
    status: RunStatus
    attempt: int
    gate_round: int
    gate_refusal: str | None
    started_at: datetime


class FinishedStep(BaseModel):
    """A completed step as the ledger keeps it."""

    model_config = ConfigDict(frozen=True)

    output: JsonObject
    artifacts: tuple[JsonObject, ...]
    task_run_id: UUID | None


class Ledger(BaseModel):
    """The truth about a run's steps at one moment."""

    model_config = ConfigDict(frozen=True)

    finished: Mapping[str, FinishedStep] = Field(default_factory=dict)
    approvals: Mapping[str, Approval] = Field(default_factory=dict, description="Newest approval of each step.")


class RunResult(BaseModel):
    """What a finished run hands back."""

    model_config = ConfigDict(frozen=True)

    run_id: UUID
    status: RunStatus
    cost_usd: Decimal
    result: JsonObject
