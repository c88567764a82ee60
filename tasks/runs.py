"""Opening and closing a run in the ledger."""

from importlib.metadata import version
from uuid import UUID

from prefect import task

from maos.actions import JsonObject
from maos.audit import AuditEvent
from maos.autonomy import AutonomyLevel, stricter
from maos.engines import EngineType
from maos.errors import BadInput
from maos.plans import Plan, check_plan
from maos.redaction import for_clients
from maos.requests import RunRequest
from maos.runs import Run, RunResult
from maos.statuses import RunStatus
from sql import approvals, audit, budgets, organizations, runs
from sql.session import org_session, system_session
from sql.tables import OrchestratorRun, Organization
from tasks.attempts import abandon_running
from tasks.catalogue import actions, rules_digest
from tasks.engines import writer_is_configured
from tasks.ledger import read_ledger, reread
from tasks.options import LEDGER_OPTIONS

# Engines that need a key; a plan that uses one without it is rehearsed.
_KEYED_ENGINES = frozenset({EngineType.CLAUDE_CLI, EngineType.DEEP_AGENT, EngineType.GEMINI_IMAGE})
_MAY_START_RUNS = frozenset({"owner", "author", "operator"})


def admit(request: RunRequest) -> UUID:
    """Check that the organisation exists and the initiator may start a run for it; return its id.

    Raises:
        BadInput: naming the field, the value and what is allowed.
    """
    with system_session() as session:
        org = organizations.find_organization(request.org, session=session)
        if org is None:
            own = ", ".join(organizations.organizations_of(request.initiator, session=session))
            allowed = f"organisations of {request.initiator}: {own or 'none'}"
            raise BadInput("org", request.org, allowed)
        _check_organization(org, request)
        user = organizations.find_member(request.initiator, session=session)
        roles = organizations.roles_of(user.id, org_id=org.id, session=session) if user else frozenset()
    if not roles & _MAY_START_RUNS:
        allowed = f"a member of {request.org} with role {' or '.join(sorted(_MAY_START_RUNS))}"
        raise BadInput("initiator", request.initiator, allowed)
    return org.id


def _check_organization(org: Organization, request: RunRequest) -> None:
    if org.status != "active":
        raise BadInput("org", request.org, f"an active organisation; this one is {org.status}")
    level = AutonomyLevel(org.autonomy)
    if request.autonomy and stricter(request.autonomy, level) is not request.autonomy:
        raise BadInput("autonomy", request.autonomy.value, f"{level.value} or stricter for {request.org}")


@task(task_run_name="open-run", **LEDGER_OPTIONS)
def open_run(run_id: UUID, entrypoint: str, request: RunRequest, plan: Plan) -> None:
    """Write the run's row, its cap and its first audit row, once the plan has passed every check.

    Raises:
        BadInput: when organisation, initiator or autonomy are not acceptable.
        PlanRefused: with every fault of the plan.
    """
    org_id = admit(request)
    check_plan(plan, actions())
    with org_session(org_id) as session:
        org = organizations.find_organization(request.org, session=session)
        if org is None:
            raise BadInput("org", request.org, "an organisation that exists")
        session.add(_row_of(run_id, entrypoint, request, plan, org))
        session.flush()
        if request.cost_cap_usd is not None:
            budgets.add_run_cap(run_id, request.cost_cap_usd, org_id=org_id, session=session)
        summary = f"{entrypoint} of {len(plan.steps)} steps opened: {request.title}"
        event = AuditEvent(
            event="run.opened", actor=request.initiator, run_id=run_id, digest=plan.digest, summary=summary
        )
        audit.append_audit(event, org_id=org_id, session=session)


def _row_of(run_id: UUID, entrypoint: str, request: RunRequest, plan: Plan, org: Organization) -> OrchestratorRun:
    needs_key = any(step.engine in _KEYED_ENGINES for step in plan.steps)
    return OrchestratorRun(
        id=run_id,
        org_id=org.id,
        title=request.title,
        initiator_type="user",
        initiator_id=request.initiator,
        entrypoint=entrypoint,
        origin_type="plan",
        plan=plan.model_dump(mode="json"),
        plan_digest=plan.digest,
        rules_digest=rules_digest(),
        code_version=version("maos"),
        prompt_inputs=request.model_dump(mode="json"),
        autonomy=stricter(request.autonomy or AutonomyLevel(org.autonomy), AutonomyLevel(org.autonomy)),
        rehearsal=needs_key and not writer_is_configured(),
        status=RunStatus.EXECUTING,
        budget_cap_usd=request.cost_cap_usd,
    )


def wake_run(run: Run) -> Run:
    """Take a run up again in a new process: end what an earlier process left running."""
    with org_session(run.org_id) as session:
        abandon_running(run, session=session)
        if run.status is RunStatus.PAUSED:
            runs.set_status(run.id, RunStatus.EXECUTING, session=session)
        else:
            runs.reopen(run.id, session=session)
    return reread(run.id, run.org_id)


def pause_run(run: Run) -> None:
    """Note that the run waits for a person."""
    with org_session(run.org_id) as session:
        runs.set_status(run.id, RunStatus.PAUSED, session=session)


@task(task_run_name="close-run", **LEDGER_OPTIONS)
def close_run(run: Run, status: RunStatus, reason: str | None = None) -> RunResult:
    """Give the run its one end: status, result, withdrawn approvals and an audit row, in one transaction."""
    return end_run(run, status, reason)


def end_run(run: Run, status: RunStatus, reason: str | None) -> RunResult:
    """Do what `close_run` does, for callers outside a flow run; a run that has its end keeps it."""
    result = _result_of(run) if status is RunStatus.COMPLETED else {}
    error_summary = for_clients(reason) if reason else None
    with org_session(run.org_id) as session:
        abandon_running(run, session=session)
        ended = runs.end_run(run.id, status, result=result or None, error_summary=error_summary, session=session)
        approvals.cancel_pending(run.id, f"the run is {status.value}", session=session)
        cost = budgets.cost_of_run(run.id, session=session)
        if ended:
            summary = error_summary or f"run {status.value}, {cost:f} USD"
            success = status is RunStatus.COMPLETED
            event = AuditEvent(
                event=f"run.{status.value}", actor="maos", run_id=run.id, success=success, summary=summary
            )
            audit.append_audit(event, org_id=run.org_id, session=session)
    return RunResult(run_id=run.id, status=status, cost_usd=cost, result=result)


def _result_of(run: Run) -> JsonObject:
    finished = read_ledger(run).finished
    return {step.id: finished[step.id].output for step in run.plan.last_steps}
