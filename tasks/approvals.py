"""Asking for an approval, and the one function that decides one."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from prefect import task

from maos.approvals import (
    EXPIRES_AFTER,
    Approval,
    ApprovalPolicy,
    DecisionRequest,
    parameters_as_markdown,
    refusal_of,
)
from maos.audit import AuditEvent
from maos.engines import EngineType
from maos.errors import DecisionRefused
from maos.runs import Run
from sql import approvals, audit, organizations, runs
from sql.session import org_session, system_session
from sql.tables import AgentPendingAction, utc_now
from tasks.claude_cli import step_ceiling
from tasks.internal_service import call_of
from tasks.ledger import read_ledger
from tasks.options import LEDGER_OPTIONS
from tasks.payloads import Payload, payload_of
from tasks.services.registry import SERVICES


@task(task_run_name="ask-{step_id}", **LEDGER_OPTIONS)
def open_gate(run: Run, step_id: str) -> None:
    """Ask a person to approve a step; an approval that no longer covers it is void."""
    payload = payload_of(run, step_id, read_ledger(run))
    row = _row_of(payload)
    with org_session(run.org_id) as session:
        session.add(row)
        session.flush()
        event = AuditEvent(
            event="approval.requested",
            actor=payload.step.agent,
            run_id=run.id,
            step_id=step_id,
            action=row.action,
            risk=payload.spec.risk,
            approval_id=row.id,
            digest=row.digest,
            summary=f"{payload.spec.title} Waits until {row.expires_at:%Y-%m-%d %H:%M} UTC.",
        )
        audit.append_audit(event, org_id=run.org_id, session=session)


def _row_of(payload: Payload) -> AgentPendingAction:
    now = utc_now()
    policy = ApprovalPolicy()
    return AgentPendingAction(
        org_id=payload.run.org_id,
        run_id=payload.run.id,
        step_id=payload.step.id,
        action=payload.step.action,
        engine_type=payload.step.engine,
        title=payload.spec.title,
        preview=_preview(payload),
        payload=payload.content,
        digest=payload.digest,
        risk=payload.spec.risk,
        cost_ceiling_usd=step_ceiling(payload) if payload.step.engine is EngineType.CLAUDE_CLI else Decimal(0),
        policy=policy.model_dump(mode="json"),
        initiator_id=payload.run.initiator,
        started_at=now,
        expires_at=now + EXPIRES_AFTER[payload.spec.risk],
        status="pending",
    )


def _preview(payload: Payload) -> str:
    service = SERVICES.get(payload.step.action)
    if service is None or service.preview is None:
        return parameters_as_markdown(payload.parameters)
    return service.preview(call_of(payload))


def decide(approval_id: UUID, request: DecisionRequest) -> Approval:
    """Decide an approval: every path ends here, and of any number of callers one succeeds.

    Raises:
        DecisionRefused: naming the rule that refuses, or who decided first and when.
    """
    with system_session() as session:
        approval = approvals.find_approval(approval_id, session=session)
    if approval is None:
        raise DecisionRefused(str(approval_id), "no such approval")
    with org_session(approval.org_id) as session:
        user = organizations.find_member(request.reviewer, session=session)
        roles = organizations.roles_of(user.id, org_id=approval.org_id, session=session) if user else frozenset()
        if refusal := refusal_of(approval, request, roles=roles, now=datetime.now(UTC)):
            raise DecisionRefused(str(approval_id), refusal)
        if user is None or not approvals.decide_pending(approval, request, verified=False, session=session):
            raise DecisionRefused(
                str(approval_id), _who_was_first(approvals.find_approval(approval_id, session=session))
            )
        approvals.add_vote(approval, user.id, request, verified=False, session=session)
        audit.append_audit(_decided(approval, request), org_id=approval.org_id, session=session)
        decided = approvals.find_approval(approval_id, session=session)
    return decided or approval


def _who_was_first(approval: Approval | None) -> str:
    if approval is None or approval.decided_at is None:
        return "it can no longer be decided"
    return f"already {approval.status.value} by {approval.decided_by} at {approval.decided_at:%Y-%m-%d %H:%M:%S} UTC"


def _decided(approval: Approval, request: DecisionRequest) -> AuditEvent:
    note = f": {request.note}" if request.note else ""
    return AuditEvent(
        event=f"approval.{request.decision.status.value}",
        actor=request.reviewer,
        run_id=approval.run_id,
        step_id=approval.step_id,
        action=approval.action,
        risk=approval.risk,
        was_automatic=False,
        approval_id=approval.id,
        digest=approval.digest,
        summary=f"{request.decision.status.value} by {request.reviewer} (identity unverified){note}",
    )


def void_approval(run: Run, step_id: str) -> None:
    """Void the newest approval of a step, because it does not cover what would run."""
    with org_session(run.org_id) as session:
        if approval := approvals.newest_approvals(run.id, session=session).get(step_id):
            approvals.supersede(approval.id, session=session)


def close_gate_round(run: Run, refusal: str | None) -> None:
    """Note that the answer of the present gate was read; the next gate asks under a new key."""
    with org_session(run.org_id) as session:
        runs.next_gate_round(run.id, refusal, session=session)
