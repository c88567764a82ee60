"""Runs, steps and approvals as values, for tests that need no database."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel

from maos.actions import ActionSpec
from maos.approval_policy import ApprovalPolicy
from maos.approvals import Approval
from maos.autonomy import AutonomyLevel
from maos.engines import EngineType
from maos.failures import FailureKind
from maos.plans import Plan, PlanStep
from maos.risk import RiskLevel
from maos.runs import FailedStep, GateKind, Run
from maos.statuses import ApprovalStatus, RunStatus

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ANY_ID = UUID(int=1)
SERVICE = EngineType.INTERNAL_SERVICE


class Nothing(BaseModel):
    """No parameters."""


ACTIONS = {
    risk.value: ActionSpec(name=risk.value, engine=SERVICE, risk=risk, title="Act.", parameters=Nothing)
    for risk in RiskLevel
}
DONE = None


def step(name: str, action: str = "low", after: tuple[str, ...] = (), **fields: object) -> PlanStep:
    """Return a step that waits for others without reading them."""
    return PlanStep.model_validate(
        {"id": name, "agent": "clerk", "engine": SERVICE, "action": action, "after": after, **fields}
    )


def run_of(
    *steps: PlanStep,
    autonomy: AutonomyLevel = AutonomyLevel.SEMI_AUTONOMOUS,
    parallelism: int = 8,
    held_by: str | None = None,
) -> Run:
    """Return a run of these steps."""
    plan = Plan(steps=steps, parallelism=parallelism)
    return Run(
        id=ANY_ID,
        org_id=ANY_ID,
        org="demo",
        title="Test",
        initiator="author@demo.example",
        entrypoint="generate_report",
        plan=plan,
        plan_digest=plan.digest,
        rules_digest="0" * 64,
        request={},
        pins={},
        autonomy=autonomy,
        read_only_exempt=False,
        rehearsal=True,
        status=RunStatus.EXECUTING,
        attempt=1,
        gate_round=1,
        gate_kind=GateKind.APPROVALS,
        gate_refusal=None,
        held_by=held_by,
        epoch=1,
        parent_run_id=None,
        started_at=NOW,
    )


def approval(step: str, status: ApprovalStatus, **fields: object) -> Approval:
    """Return an approval of a step."""
    newest = Approval(
        id=ANY_ID,
        org_id=ANY_ID,
        run_id=ANY_ID,
        step_id=step,
        action="high",
        engine=SERVICE,
        title="Act.",
        preview="",
        payload={},
        digest="0" * 64,
        risk=RiskLevel.HIGH,
        cost_ceiling_usd=Decimal(0),
        policy=ApprovalPolicy(),
        initiator="author@demo.example",
        started_at=NOW,
        expires_at=NOW + timedelta(hours=1),
        status=status,
        decided_by="reviewer@demo.example",
        note="too early",
    )
    return newest.model_copy(update=fields)


def failure(kind: FailureKind = FailureKind.SERVICE_ERROR, *, tries: int = 1) -> FailedStep:
    """Return how a step has failed."""
    return FailedStep(kind=kind, summary="disk full", tries=tries)
