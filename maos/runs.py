"""What every layer knows of a run, and what its ledger says at one moment."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import JsonObject
from maos.approvals import Approval
from maos.autonomy import AutonomyLevel
from maos.failures import FailureKind
from maos.plans import Plan
from maos.statuses import ApprovalStatus, RunStatus


class GateKind(StrEnum):
    """What the form of a waiting run shows: its answer is read as an answer to that and nothing else."""

    APPROVALS = "approvals"
    HOLD = "hold"


class Run(BaseModel):
    """A run as its row stands; `epoch` says as whose process it was read."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    org_id: UUID
    org: str = Field(description="Slug of the organisation.")
    title: str
    initiator: str
    entrypoint: str
    request: JsonObject
    plan: Plan
    plan_digest: str
    rules_digest: str
    pins: Mapping[str, str] = Field(description="Digests of what the run was planned with, by name.")
    autonomy: AutonomyLevel
    read_only_exempt: bool
    rehearsal: bool
    status: RunStatus
    attempt: int
    gate_round: int
    gate_kind: GateKind
    gate_refusal: str | None
    gate_shown: Mapping[str, str] = Field(default_factory=dict, description="Digests that its form shows, by approval.")
    held_by: str | None
    epoch: int = Field(description="Counts the processes that took the run up; writes of an older one are refused.")
    parent_run_id: UUID | None
    started_at: datetime
    waited_seconds: float = Field(default=0.0, description="How long it has waited for people, and lain ended.")
    team: str | None = Field(default=None, description="The team of its organisation that it works for.")


class FailedStep(BaseModel):
    """A step that has failed in this attempt at the run: how often, and how the last time."""

    model_config = ConfigDict(frozen=True)

    kind: FailureKind
    summary: str
    tries: int


class Ledger(BaseModel):
    """The truth about a run's steps at one moment."""

    model_config = ConfigDict(frozen=True)

    finished: Mapping[str, UUID | None] = Field(
        default_factory=dict, description="Each completed step, with the task run that completed it."
    )
    failed: Mapping[str, FailedStep] = Field(default_factory=dict, description="Steps whose last try failed.")
    skipped: Mapping[str, str] = Field(default_factory=dict, description="Why each skipped step is.")
    turns: Mapping[str, int] = Field(
        default_factory=dict, description="Each step whose agent has begun: the attempt that was its newest turn."
    )
    in_doubt: frozenset[str] = Field(default=frozenset(), description="Steps whose effect may have happened.")
    approvals: Mapping[str, Approval] = Field(default_factory=dict, description="Newest approval of each step.")

    @property
    def waiting(self) -> tuple[Approval, ...]:
        """The approvals that nobody has decided."""
        return tuple(each for each in self.approvals.values() if each.status is ApprovalStatus.PENDING)


class RunResult(BaseModel):
    """What a finished run hands back."""

    model_config = ConfigDict(frozen=True)

    run_id: UUID
    status: RunStatus
    cost_usd: Decimal
    result: JsonObject
