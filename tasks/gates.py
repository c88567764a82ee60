"""Asking for an approval: the row of a gate, and what its reviewer reads."""

from dataclasses import dataclass, field
from decimal import Decimal

from prefect import task

from maos.actions import JsonObject
from maos.approval_policy import ApprovalPolicy
from maos.approval_view import as_code, parameters_as_markdown
from maos.approvals import WHOLE_PLAN, WHOLE_RUN, ApprovalKind
from maos.audit import AuditEvent
from maos.bound_facts import REQUEST, bound_digest
from maos.canonical import digest_of
from maos.effects import DoubtChoice
from maos.engines import EngineType
from maos.learning import BY_EXEMPTION
from maos.notices import NoticeKind, reminder_at
from maos.policy import approval_policy
from maos.risk import RiskLevel
from maos.rules_check import policy_of
from maos.runs import Run
from maos.statuses import ApprovalStatus
from maos.top_ups import OUT_OF_BUDGET
from sql import approvals, audit, invocations, runs
from sql.approval_tables import AgentPendingAction
from sql.plain_rows import approval_facts
from sql.tables import utc_now
from tasks.ceilings import step_ceiling
from tasks.internal_service import call_of
from tasks.learning import add_example
from tasks.leases import run_session
from tasks.notices import tell
from tasks.options import LEDGER_OPTIONS
from tasks.outages import outlasting
from tasks.payloads import Payload, payload_of
from tasks.secrecy import discreet, for_clients
from tasks.services.registry import SERVICES

# Questions about the run as a whole: no step's agent asks them.
_OF_NO_STEP = frozenset({WHOLE_RUN, WHOLE_PLAN, OUT_OF_BUDGET})


@task(task_run_name="ask-{step_id}", **LEDGER_OPTIONS)
@discreet()
def open_gate(run: Run, step_id: str) -> None:
    """Ask a person to approve a step, or what to do about its effect in doubt.

    Raises:
        InputMismatch: when what the step reads does not fit what it needs.
        RuleBroken: when the rules forbid it: what nobody may do, nobody is asked about.
    """
    payload = payload_of(run, step_id)
    write_gate(run, approval_row(run, question_of(payload)), payload)


@outlasting
def write_gate(run: Run, row: AgentPendingAction, payload: Payload | None = None) -> None:
    """Write an approval that waits, unless it waits already, or an exemption answers in the place of a person.

    Args:
        payload: of the step that it asks about, if it asks about one.
    """
    with run_session(run) as session:
        newest = approvals.newest_approvals(run.id, session=session).get(row.step_id)
        if newest and newest.status is ApprovalStatus.PENDING:
            return
        in_doubt = invocations.is_in_doubt(run.id, row.step_id, session=session)
        written = AgentPendingAction(**row.model_dump() | (_doubt_of(row) if in_doubt else {}))
        written.acting_for = runs.initiators_before(run.id, session=session)
        written.remind_at = reminder_at(approvals.approval_of(written), sent=0)
        if payload and not in_doubt:
            add_example(written, payload, before=newest, session=session)
        else:
            session.add(written)
            session.flush()
        if written.status == ApprovalStatus.PENDING:
            tell(NoticeKind.REQUESTED, [approvals.approval_of(written)], session=session)
        for event in _asked(run, written):
            audit.append_audit(event, org_id=run.org_id, session=session)


def _asked(run: Run, row: AgentPendingAction) -> list[AuditEvent]:
    requested = AuditEvent(
        event="approval.requested",
        actor=run.initiator if row.step_id in _OF_NO_STEP else run.plan.step(row.step_id).agent.name,
        run_id=run.id,
        step_id=row.step_id,
        action=row.action,
        risk=RiskLevel(row.risk),
        approval_id=row.id,
        digest=row.digest,
        summary=f"{row.title} Waits until {row.expires_at:%Y-%m-%d %H:%M} UTC.",
        policy_version=ApprovalPolicy.model_validate(row.policy).version,
        result_digest=bound_digest(approval_facts(row), REQUEST),
    )
    if row.decided_via != BY_EXEMPTION or row.decided_by is None:
        return [requested]
    answer = {"event": "approval.exempted", "actor": row.decided_by, "result_digest": None}
    return [requested, requested.model_copy(update={**answer, "summary": f"Asked nobody: {row.decided_by}."})]


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


def asked_policy(payload: Payload) -> ApprovalPolicy:
    """Return the policy under which a step is asked about now."""
    approvers = policy_of(payload.book.rules, payload.step.action)
    return approval_policy(payload.policies, payload.risk, payload.facts, level=payload.level, approvers=approvers)


def question_of(payload: Payload) -> "Question":
    """Return what a step asks a person."""
    call = payload.step.called_by
    return Question(
        step_id=payload.step.id,
        action=payload.step.action,
        engine=payload.step.engine,
        title=payload.spec.title,
        preview=preview_of(payload),
        payload=payload.content,
        risk=payload.risk,
        cost_ceiling_usd=step_ceiling(payload),
        policy=asked_policy(payload),
        caller=call.step if call else None,
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
    caller: str | None = None


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
        expires_at=now + question.policy.life_of(question.risk),
        approvals_required=question.policy.approvals_needed,
        outcome_on_expiry=question.policy.on_expiry,
        status="pending",
        caller=question.caller,
        kind=question.kind,
    )


def preview_of(payload: Payload) -> str:
    """Return what a reviewer reads of what the step will do."""
    service = SERVICES.get(payload.step.action)
    shown = service.preview(call_of(payload, service)) if service and service.preview else None
    return _caller(payload) + (shown or parameters_as_markdown(payload.parameters))


def _caller(payload: Payload) -> str:
    call = payload.step.called_by
    # What an agent asks for was in no plan that anybody has seen.
    return (
        f"Asked for by the agent {as_code(payload.step.agent.name)} of step {as_code(call.step)}.\n\n" if call else ""
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
