"""Rows that tests start from, written as the application would."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from maos.approval_policy import ApprovalPolicy
from maos.engines import EngineType
from maos.plans import Plan, PlanStep
from maos.risk import RiskLevel
from sql.approval_tables import AgentPendingAction
from sql.session import org_session
from sql.tables import AgentInvocation, OrchestratorRun

PLAN = Plan(steps=(PlanStep(id="act", agent="clerk", engine=EngineType.INTERNAL_SERVICE, action="act"),))


def add_run(org_id: UUID, **changes: object) -> UUID:
    """Add a run of one step; return its id."""
    fields: dict[str, object] = {
        "id": uuid4(),
        "org_id": org_id,
        "title": "Test",
        "initiator_type": "user",
        "initiator_id": "author@demo.example",
        "entrypoint": "generate_report",
        "origin_type": "plan",
        "plan": PLAN.model_dump(mode="json"),
        "plan_digest": PLAN.digest,
        "rules_digest": "0" * 64,
        "code_version": "0",
        "prompt_inputs": {},
        "autonomy": "semi_autonomous",
        "rehearsal": True,
        "status": "executing",
    }
    row = OrchestratorRun(**(fields | changes))
    with org_session(org_id) as session:
        session.add(row)
    return row.id


def add_approval(org_id: UUID, run_id: UUID, **changes: object) -> UUID:
    """Add a pending approval; return its id."""
    now = datetime.now(UTC)
    fields: dict[str, object] = {
        "org_id": org_id,
        "run_id": run_id,
        "step_id": "act",
        "action": "act",
        "engine_type": EngineType.INTERNAL_SERVICE,
        "title": "Act.",
        "preview": "",
        "payload": {},
        "digest": "0" * 64,
        "risk": RiskLevel.HIGH,
        "cost_ceiling_usd": Decimal(0),
        "policy": ApprovalPolicy().model_dump(mode="json"),
        "initiator_id": "author@demo.example",
        "started_at": now - timedelta(hours=1),
        "expires_at": now + timedelta(hours=1),
    }
    row = AgentPendingAction(**(fields | changes))
    with org_session(org_id) as session:
        session.add(row)
    return row.id


def invocation(org_id: UUID, run_id: UUID, ceiling: str, step: str = "act") -> AgentInvocation:
    """Return a running invocation that is not written yet."""
    return AgentInvocation(
        org_id=org_id,
        run_id=run_id,
        step_id=step,
        attempt=1,
        agent_name="clerk",
        engine_type="claude_cli",
        action="act",
        rehearsal=False,
        input_summary="Act.",
        token_cost_estimate=Decimal(ceiling),
    )
