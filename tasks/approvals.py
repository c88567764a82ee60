"""Asking for an approval, and the one function that decides one."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from prefect import task

from maos.actions import JsonObject
from maos.approvals import (
    EXPIRES_AFTER,
    WHOLE_RUN,
    Approval,
    ApprovalKind,
    ApprovalPolicy,
    DecisionRequest,
    as_code,
    parameters_as_markdown,
    refusal_of,
)
from maos.audit import AuditEvent
from maos.canonical import digest_of
from maos.effects import DoubtChoice
from maos.engines import EngineType
from maos.errors import DecisionRefused
from maos.risk import RiskLevel
from maos.rules_check import policy_of
from maos.runs import Run
from maos.statuses import ApprovalStatus
from maos.top_ups import OUT_OF_BUDGET
from sql import approvals, audit, invocations, organizations, runs
from sql.session import org_session, system_session
from sql.tables import AgentPendingAction, utc_now
from tasks.ceilings import step_ceiling
from tasks.internal_service import call_of
from tasks.leases import run_session
from tasks.options import LEDGER_OPTIONS
from tasks.outages import outlasting
from tasks.payloads import Payload, payload_of
from tasks.secrecy import discreet, for_clients
from tasks.services.registry import SERVICES

_OF_NO_STEP = frozenset({WHOLE_RUN, OUT_OF_BUDGET})


@task(task_run_name="ask-{step_id}", **LEDGER_OPTIONS)
@discreet()
def open_gate(run: Run, step_id: str) -> None:
    """Ask a person to approve a step, or what to do about its effect in doubt.

    Raises:
        InputMismatch: when what the step reads does not fit what it needs.
        RuleBroken: when the rules forbid it: what nobody may do, nobody is asked about.
    """
    payload = payload_of(run, step_id)
    write_gate(run, _row_of(payload, _preview(payload)))


@outlasting
def write_gate(run: Run, row: AgentPendingAction) -> None:
    """Write an approval that waits, unless it waits already."""
    with run_session(run) as session:
        newest = approvals.newest_approvals(run.id, session=session).get(row.step_id)
        if newest and newest.status is ApprovalStatus.PENDING:
            return
        in_doubt = invocations.is_in_doubt(run.id, row.step_id, session=session)
        written = AgentPendingAction(**row.model_dump() | (_doubt_of(row) if in_doubt else {}))
        session.add(written)
        session.flush()
        event = AuditEvent(
            event="approval.requested",
            actor=run.initiator if row.step_id in _OF_NO_STEP else run.plan.step(row.step_id).agent.name,
            run_id=run.id,
            step_id=row.step_id,
            action=row.action,
            risk=RiskLevel(row.risk),
            approval_id=written.id,
            digest=row.digest,
            summary=f"{written.title} Waits until {row.expires_at:%Y-%m-%d %H:%M} UTC.",
        )
        audit.append_audit(event, org_id=run.org_id, session=session)


def _doubt_of(row: AgentPendingAction) -> dict[str, str]:
    return {
        "kind": ApprovalKind.IN_DOUBT,
        "title": f"It is not known whether this happened: {row.title}",
        "preview": (
            "It was begun, and its process or its connection ended before the answer came. Look for it.\n\n"
            f"- `{DoubtChoice.DONE.value}`: it did happen; it is written down and not done again\n"
            f"- `{DoubtChoice.AGAIN.value}`: it did not, or twice does no harm; it is done again\n"
            f"- reject: neither; the run goes on as the plan says of a rejected step\n\n{row.preview}"
        ),
    }


def _row_of(payload: Payload, preview: str) -> AgentPendingAction:
    return approval_row(
        payload.run,
        Question(
            step_id=payload.step.id,
            action=payload.step.action,
            engine=payload.step.engine,
            title=payload.spec.title,
            preview=preview,
            payload=payload.content,
            risk=payload.spec.risk,
            cost_ceiling_usd=step_ceiling(payload),
            policy=policy_of(payload.book.rules, payload.step.action),
        ),
    )


@dataclass(frozen=True)
class Question:
    """What a person is asked."""

    step_id: str
    action: str
    engine: EngineType
    title: str
    preview: str
    payload: JsonObject
    risk: RiskLevel
    cost_ceiling_usd: Decimal = Decimal(0)
    kind: ApprovalKind = ApprovalKind.ACTION
    policy: ApprovalPolicy = field(default_factory=ApprovalPolicy)


def approval_row(run: Run, question: Question) -> AgentPendingAction:
    """Return a question as the row of an approval, under the policy as it is now."""
    now = utc_now()
    return AgentPendingAction(
        org_id=run.org_id,
        run_id=run.id,
        step_id=question.step_id,
        action=question.action,
        engine_type=question.engine,
        title=for_clients(question.title),
        preview=question.preview,
        payload=question.payload,
        digest=digest_of(question.payload),
        risk=question.risk,
        cost_ceiling_usd=question.cost_ceiling_usd,
        policy=question.policy.model_dump(mode="json"),
        initiator_id=run.initiator,
        started_at=now,
        expires_at=now + EXPIRES_AFTER[question.risk],
        status="pending",
        kind=question.kind,
    )


def _preview(payload: Payload) -> str:
    service = SERVICES.get(payload.step.action)
    shown = service.preview(call_of(payload, service)) if service and service.preview else None
    return _caller(payload) + (shown or parameters_as_markdown(payload.parameters))


def _caller(payload: Payload) -> str:
    call = payload.step.called_by
    # What an agent asks for was in no plan that anybody has seen.
    return (
        f"Asked for by the agent {as_code(payload.step.agent.name)} of step {as_code(call.step)}.\n\n" if call else ""
    )


def decide(approval_id: UUID, request: DecisionRequest) -> Approval:
    """Decide an approval: every path ends here, and of any number of callers one succeeds.

    Raises:
        DecisionRefused: naming the rule that refuses, or who decided first and when.
    """
    request = request.model_copy(update={"note": for_clients(request.note, limit=None) if request.note else None})
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


@outlasting
def void_approval(run: Run, step_id: str) -> None:
    """Void the newest approval of a step, because it does not cover what would run."""
    with run_session(run) as session:
        if approval := approvals.newest_approvals(run.id, session=session).get(step_id):
            approvals.supersede(approval.id, session=session)


@outlasting
def close_gate_round(run: Run, refusal: str | None) -> None:
    """Note that the answer of the present gate was read; the next gate asks under a new key."""
    with run_session(run) as session:
        runs.next_gate_round(run.id, refusal, session=session)
