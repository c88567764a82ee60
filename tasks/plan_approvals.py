"""Approving a plan at once: exactly the payloads that were shown; a step that would do anything else asks again."""

from decimal import Decimal

from sqlmodel import Session

from maos.approvals import WHOLE_PLAN, Approval, ApprovalKind, Decision, DecisionPath
from maos.decisions import DecisionRequest
from maos.engines import EngineType
from maos.errors import EngineFailure, InputMismatch, PolicyViolation
from maos.plan_approvals import PlannedAction, covered, plan_as_markdown
from maos.plans import PlanStep
from maos.runs import Ledger, Run
from maos.statuses import ApprovalStatus
from sql import learning
from sql.approval_tables import AgentPendingAction
from sql.tables import utc_now
from tasks.gates import Question, approval_row, question_of, write_gate
from tasks.learning import likeness_of
from tasks.payloads import payload_of
from tasks.policies import policy_book


def plan_is_asked(run: Run) -> bool:
    """Say whether the plan of a run is to be approved at once, before anything else."""
    return bool(run.request.get("approve_plan")) or policy_book(run.org_id).policy.plan_approval


def ask_about_plan(run: Run, ledger: Ledger) -> bool:
    """Ask a person to approve what is known now of the guarded steps of a plan; return whether there is anything."""
    # What is done, or was asked about by itself, needs no more.
    left = [step for step in run.plan.steps if step.id not in ledger.finished and step.id not in ledger.approvals]
    planned = covered([asked for step in left if (asked := _planned(run, step))])
    if not planned:
        return False
    known = {each.step_id for each in planned}
    riskiest = max(planned, key=lambda each: each.risk.rank)
    question = Question(
        step_id=WHOLE_PLAN,
        action="approve_plan",
        engine=EngineType.INTERNAL_SERVICE,
        title=f"Approve {len(planned)} steps of the plan at once.",
        preview=plan_as_markdown(planned, later=[step.id for step in left if step.id not in known]),
        payload={"covers": [each.model_dump(mode="json") for each in planned]},
        risk=riskiest.risk,
        cost_ceiling_usd=sum((each.cost_ceiling_usd for each in planned), start=Decimal(0)),
        kind=ApprovalKind.PLAN,
        policy=riskiest.policy,
    )
    write_gate(run, approval_row(run, question))
    return True


def _planned(run: Run, step: PlanStep) -> PlannedAction | None:
    """Return what a step would ask, or None where it asks nothing, or what it will do is not known yet."""
    if step.inputs:
        return None
    try:
        payload = payload_of(run, step.id)
    except (InputMismatch, EngineFailure, PolicyViolation):
        # It is asked about, or fails with its reason, when its turn comes.
        return None
    if not payload.guarded:
        return None
    fields = approval_row(run, question_of(payload)).model_dump(include=set(PlannedAction.model_fields))
    return PlannedAction.model_validate({**fields, "likeness": likeness_of(payload)})


def grant(approval: Approval, request: DecisionRequest, *, verified: bool, session: Session) -> None:
    """Write the approval of each step that an approved plan covers, in the transaction that approves it."""
    now = utc_now()
    for fields in approval.payload["covers"]:
        each = PlannedAction.model_validate(fields)
        row = AgentPendingAction(
            **each.model_dump(exclude={"policy", "likeness"}),
            policy=each.policy.model_dump(mode="json"),
            org_id=approval.org_id,
            run_id=approval.run_id,
            initiator_id=approval.initiator,
            acting_for=sorted(approval.acting_for),
            started_at=now,
            expires_at=now + each.policy.life_of(each.risk),
            approvals_required=each.policy.approvals_needed,
            outcome_on_expiry=each.policy.on_expiry,
            status=ApprovalStatus.APPROVED,
            decision=Decision.APPROVE,
            decided_by=request.reviewer,
            decided_via=DecisionPath.PLAN,
            decided_at=now,
            identity_verified=verified,
            note=request.note,
            granted_by=approval.id,
        )
        session.add(row)
        session.flush()
        learning.add_likeness(row.id, each.likeness, org_id=row.org_id, exemption_id=None, session=session)
