"""Opening a run in the ledger, taking it up again, and giving it its end."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from prefect import task
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from maos.actions import JsonObject
from maos.approvals import Approval
from maos.audit import AuditEvent
from maos.autonomy import AutonomyLevel, stricter
from maos.bound_facts import END, OPENING, bound_digest
from maos.canonical import digest_of
from maos.errors import LeaseLost, PlanRefused
from maos.plan_check import check_plan
from maos.plans import Plan
from maos.requests import RunRequest
from maos.rules import RuleBook
from maos.rules_check import calls_under, cap_under, held_to
from maos.runs import GateKind, Run, RunResult
from maos.statuses import InvocationStatus, RunStatus
from sql import approvals, audit, budgets, invocations, leases, plan_revisions, runs
from sql.budgets import RunCaps
from sql.invocations import Verdict
from sql.plain_rows import run_facts
from sql.plan_revisions import Origin
from sql.session import org_session
from sql.tables import OrchestratorRun
from tasks.abandonment import abandon_running, audit_abandoned
from tasks.admission import admit
from tasks.catalogue import actions, rules_digest
from tasks.engines import engines_without_key
from tasks.entrypoints import engines_added_by
from tasks.leases import LEASE, run_session
from tasks.ledger import find_run, outputs_of, reread
from tasks.options import LEDGER_OPTIONS
from tasks.outages import outlasting
from tasks.pinning import code_version, pins_of
from tasks.policies import policy_book
from tasks.retries import Retry, copy_files, plan_retry, reuse_outcomes
from tasks.rules import rule_book
from tasks.secrecy import discreet, for_clients
from tasks.steps import folder_of


@dataclass(frozen=True)
class Opening:
    """What a run is opened with."""

    entrypoint: str
    request: RunRequest
    plan: Plan
    retry: Retry | None = None


@task(task_run_name="open-run", **LEDGER_OPTIONS)
@discreet()
def open_run(run_id: UUID, opening: Opening) -> None:
    """Write the run's row, its plan, its cap and its first audit row, once the plan has passed every check.

    Raises:
        BadInput: when organisation, initiator, autonomy or the run to retry are not acceptable.
        PlanRefused: with every fault of the plan.
        RulesRefused: when there are no rules to check it with.
        LeaseLost: when another process has opened the run.
    """
    request = opening.request
    org_id = admit(request)
    book = rule_book(org_id)
    check_plan(opening.plan, actions(), book.rules, cost_cap_usd=request.cost_cap_usd)
    if opening.retry is None and (called := [step.id for step in opening.plan.steps if step.called_by]):
        raise PlanRefused([f"step {name!r}: only an agent at work sets `called_by`" for name in called])
    if opening.retry:
        copy_files(opening.retry, folder_of(request.org, run_id))
    try:
        _write_run(run_id, org_id, replace(opening, plan=held_to(opening.plan, book.rules)), book)
    except IntegrityError:
        if find_run(run_id) is None:
            raise
        raise LeaseLost(str(run_id)) from None


@outlasting
def _write_run(run_id: UUID, org_id: UUID, opening: Opening, book: RuleBook) -> None:
    request, plan = opening.request, opening.plan
    level = policy_book(org_id).policy.level_of(request.team)
    with org_session(org_id) as session:
        row = _row_of(run_id, opening, book, org_id=org_id, level=level)
        session.add(row)
        session.flush()
        leases.take_lease(run_id, LEASE, session=session)
        reason = "as requested"
        if opening.retry and (run := runs.find_run(run_id, session=session)):
            reason = f"retry of run {opening.retry.parent.id}"
            reuse_outcomes(opening.retry, run, session=session)
        plan_revisions.add_revision(run_id, plan, Origin(reason), revision=1, org_id=org_id, session=session)
        caps = RunCaps(
            usd=row.budget_cap_usd, tokens=request.token_cap, calls=calls_under(book.rules, request.call_cap)
        )
        budgets.add_run_caps(run_id, caps, org_id=org_id, session=session)
        summary = f"{opening.entrypoint} of {len(plan.steps)} steps opened, {reason}: {for_clients(request.title)}"
        event = AuditEvent(
            event="run.opened",
            actor=request.initiator,
            run_id=run_id,
            digest=plan.digest,
            summary=summary,
            result_digest=bound_digest(run_facts(row), OPENING),
        )
        audit.append_audit(event, org_id=org_id, session=session)


def _row_of(run_id: UUID, opening: Opening, book: RuleBook, *, org_id: UUID, level: AutonomyLevel) -> OrchestratorRun:
    request, plan, retry = opening.request, opening.plan, opening.retry
    return OrchestratorRun(
        id=run_id,
        org_id=org_id,
        title=for_clients(request.title),
        initiator_type="user",
        initiator_id=request.initiator,
        entrypoint=opening.entrypoint,
        origin_type="plan",
        plan=plan.model_dump(mode="json"),
        plan_digest=plan.digest,
        rules_digest=rules_digest(sorted({step.action for step in plan.steps}), book),
        code_version=code_version(),
        pins=pins_of(plan, book),
        prompt_inputs=request.model_dump(mode="json"),
        autonomy=stricter(request.autonomy or level, level),
        team=request.team,
        # What is reused decides: rehearsed and real outcomes must not mix.
        rehearsal=retry.parent.rehearsal if retry and retry.reused else _rehearses(opening),
        status=RunStatus.EXECUTING,
        parent_run_id=retry.parent.id if retry else None,
        budget_cap_usd=cap_under(book.rules, request.cost_cap_usd),
    )


def _rehearses(opening: Opening) -> bool:
    return bool(engines_without_key(opening.plan, engines_added_by(opening.entrypoint)))


def retry_of(request: RunRequest) -> Retry | None:
    """Return what a request takes up of an ended run, if it asks for that.

    Raises:
        BadInput: naming what cannot be taken up.
    """
    return plan_retry(request.retry, request, admit(request)) if request.retry else None


@outlasting
def wake_run(run: Run) -> Run:
    """Take a run up again in a new process: end what an earlier process left running."""
    with run_session(run) as session:
        abandoned = abandon_running(run, session=session)
        if run.status.ended:
            runs.reopen(run.id, session=session)
        else:
            runs.wake(run.id, session=session)
        audit_abandoned(abandoned, session=session)
    return reread(run.id, run.org_id, run.epoch)


@outlasting
def pause_run(run: Run, gate_kind: GateKind, waiting: Iterable[Approval] = ()) -> None:
    """Note that the run waits for a person, and what its form shows."""
    # Whoever comes by again to read the answer must not take what waits now for what was shown then.
    shown = None if run.status is RunStatus.PAUSED else {str(each.id): each.digest for each in waiting}
    with run_session(run) as session:
        runs.pause(run.id, gate_kind, shown=shown, session=session)


@task(task_run_name="close-run", **LEDGER_OPTIONS)
@discreet()
def close_run(run: Run, status: RunStatus, reason: str | None = None) -> RunResult:
    """Give the run its one end: status, result, withdrawn approvals and an audit row, in one transaction."""
    result = _result_of(run) if status is RunStatus.COMPLETED else {}
    return _close(run, status, reason, result)


@outlasting
def _close(run: Run, status: RunStatus, reason: str | None, result: JsonObject) -> RunResult:
    with run_session(run) as session:
        return _write_end(run, status, reason, result, actor="maos", session=session)


@outlasting
def end_run(run: Run, status: RunStatus, reason: str, *, actor: str = "maos") -> RunResult:
    """End a run from outside its process, which can write nothing from here on; a run that has its end keeps it."""
    with org_session(run.org_id) as session:
        leases.revoke_lease(run.id, session=session)
        return _write_end(run, status, reason, {}, actor=actor, session=session)


def _write_end(
    run: Run, status: RunStatus, reason: str | None, result: JsonObject, *, actor: str, session: Session
) -> RunResult:
    error_summary = for_clients(reason) if reason else None
    # Approvals are locked before budgets, and those before the audit chain, by everybody.
    approvals.cancel_pending(run.id, f"the run is {status.value}", session=session)
    abandoned = abandon_running(run, session=session)
    ended = runs.end_run(run.id, status, result=result or None, error_summary=error_summary, session=session)
    cost = budgets.cost_of_run(run.id, session=session)
    audit_abandoned(abandoned, session=session)
    if ended:
        summary = error_summary or f"run {status.value}, {cost:f} USD"
        facts = {"status": status.value, "error_summary": error_summary, "result_digest": digest_of(result or None)}
        event = AuditEvent(
            event=f"run.{status.value}",
            actor=actor,
            run_id=run.id,
            success=status is RunStatus.COMPLETED,
            summary=summary,
            result_digest=bound_digest(facts, END),
        )
        audit.append_audit(event, org_id=run.org_id, session=session)
    return RunResult(run_id=run.id, status=status, cost_usd=cost, result=result)


def _result_of(run: Run) -> JsonObject:
    return dict(outputs_of(run, [step.id for step in run.plan.last_steps]))


def result_of_completed(run: Run) -> RunResult:
    """Return what a completed run handed back."""
    with org_session(run.org_id) as session:
        cost = budgets.cost_of_run(run.id, session=session)
    return RunResult(run_id=run.id, status=run.status, cost_usd=cost, result=_result_of(run))


@outlasting
def skip_steps(run: Run, reasons: dict[str, str]) -> None:
    """Write which steps are skipped, and why."""
    with run_session(run) as session:
        already = invocations.step_states(run.id, run.attempt, session=session).skipped
        for step_id, reason in reasons.items():
            if step_id in already:
                continue
            verdict = Verdict(InvocationStatus.SKIPPED, for_clients(reason), why_not_called="Not carried out.")
            invocations.uncalled(run, step_id, verdict, session=session)
            event = AuditEvent(
                event="step.skipped",
                actor="maos",
                run_id=run.id,
                step_id=step_id,
                success=False,
                summary=verdict.summary,
            )
            audit.append_audit(event, org_id=run.org_id, session=session)
