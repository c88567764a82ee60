"""The one executor of plans, called by every entrypoint in its own flow run."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, as_completed
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelled, Completed

from flows.approvals import read_answer, wait_for_decisions, wait_while_held
from flows.drifts import settle_drift
from flows.plan_approvals import settle_plan
from flows.top_ups import OutOfBudget
from maos.errors import (
    ApprovalInvalid,
    BudgetExceeded,
    EngineFailure,
    InputMismatch,
    LeaseLost,
    OrganizationSuspended,
    PolicyViolation,
    RunFailed,
    StackError,
)
from maos.frontier import Move, may_wait, next_move
from maos.plan_looks import looks_of
from maos.plans import PlanStep
from maos.policy import Policy
from maos.requests import RunRequest
from maos.rules import Rules
from maos.rules_check import overdue, tightened_actions
from maos.runs import Ledger, Run, RunResult
from maos.statuses import RunStatus
from tasks.admission import admit
from tasks.artifacts import label_run, show_costs
from tasks.catalogue import actions
from tasks.dispatch import ENGINE_TASKS
from tasks.entrypoints import plan_of
from tasks.failures import settle_failure
from tasks.gates import open_gate, void_approval
from tasks.leases import holding, leave
from tasks.ledger import find_run, reread, survey, take_up
from tasks.logs import guard
from tasks.notice_delivery import announce
from tasks.options import retry_options
from tasks.payloads import is_guarded_by_now
from tasks.plan_artifacts import PlanPicture, show_plan
from tasks.policies import policy_book
from tasks.rules import rule_book
from tasks.runs import Opening, close_run, open_run, result_of_completed, retry_of, skip_steps, wake_run
from tasks.secrecy import discreet
from tasks.steps import StepOrder

Flight = PrefectFuture[Any]
End = RunResult | State[Any]


def conduct(entrypoint: str, request: RunRequest) -> End:
    """Open the run, or take it up where its ledger stands, and execute its plan.

    The plan is made only when the run is opened: a run keeps the plan it began with.

    Raises:
        BadInput: before anything is written or spent.
        RunFailed: when a step failed for good.
    """
    guard()
    try:
        with discreet():
            return _conduct(entrypoint, request)
    except LeaseLost:
        leave(deployed=bool(deployment.id))
        raise


def _conduct(entrypoint: str, request: RunRequest) -> End:
    run_id = UUID(flow_run.get_id())
    known = find_run(run_id)
    if known and known.status is RunStatus.COMPLETED:
        return result_of_completed(known)
    run = take_up(known) if known else _open(run_id, entrypoint, request)
    with holding(run):
        if known is None:
            label_run(run)
            show_plan(run, rule_book(run.org_id).rules, policy_book(run.org_id))
        else:
            run = read_answer(run) if run.status is RunStatus.PAUSED else wake_run(run)
            run, refusal = settle_drift(run)
            if refusal:
                return _end(run, refusal)
        run, refusal = settle_plan(run)
        return _end(run, refusal) if refusal else execute_plan(run)


def _open(run_id: UUID, entrypoint: str, request: RunRequest) -> Run:
    org_id = admit(request)
    retry = retry_of(request)
    plan = retry.plan if retry else plan_of(entrypoint, request)
    open_run(run_id, Opening(entrypoint, request, plan, retry))
    # Read anew: Prefect would draw an edge from the task that returned it to every step.
    return reread(run_id, org_id, epoch=1)


def execute_plan(run: Run) -> End:
    """Run every step that is ready, ask for approvals, wait when nothing else can run, and end the run once."""
    flights: dict[str, Flight] = {}
    picture, short = PlanPicture(run), OutOfBudget()
    rules, policy = _ground(run)
    while True:
        run, ledger = survey(run)
        specs, late = tightened_actions(actions(), rules), overdue(rules, run, datetime.now(UTC))
        waiting = short.steps(run, ledger, busy=flights.keys())
        move = next_move(run, ledger, specs, busy=flights.keys(), overdue=late, short=waiting)
        move = _asking_first(run, ledger, move, policy)
        if move.end:
            picture.show(run.plan, looks_of(run.plan, ledger, flights.keys()), last=True)
            return _end(run, move)
        if move.skip:
            skip_steps(run, dict(move.skip))
            continue
        _open_gates(run, move.open_gates)
        for step in move.start:
            flights[step.id] = _start(run, step, ledger)
        picture.show(run.plan, looks_of(run.plan, ledger, flights.keys()), last=bool(move.hold or move.wait_for))
        if move.hold or move.wait_for:
            run = wait_while_held(run) if move.hold else wait_for_decisions(run, move.wait_for)
            rules, policy = _ground(run)
        elif flights and not move.open_gates and _land_one(run, flights, short):
            # A step needs another approval than it has: its rules or its policy are others than those read here.
            rules, policy = _ground(run)


def _ground(run: Run) -> tuple[Rules, Policy]:
    return rule_book(run.org_id).rules, policy_book(run.org_id).policy


def _asking_first(run: Run, ledger: Ledger, move: Move, policy: Policy) -> Move:
    """Have a person asked, instead of starting it, about a step that its final parameters make too risky."""
    specs = actions()
    raised = [
        step
        for step in move.start
        if may_wait(run, ledger, step, specs.get(step.action), policy) and is_guarded_by_now(run, step.id)
    ]
    start = tuple(step for step in move.start if step not in raised)
    return move.model_copy(update={"start": start, "open_gates": (*move.open_gates, *raised)}) if raised else move


def _open_gates(run: Run, steps: Sequence[PlanStep]) -> None:
    for step in steps:
        try:
            open_gate(run, step.id)
        except (InputMismatch, EngineFailure, PolicyViolation) as error:
            # What nobody can be shown, nobody can approve.
            settle_failure(run, step.id, error)
    if steps:
        announce(run)


def _start(run: Run, step: PlanStep, ledger: Ledger) -> Flight:
    order = StepOrder(run_id=run.id, org_id=run.org_id, epoch=run.epoch, step_id=step.id)
    tried = ledger.failed[step.id].tries if step.id in ledger.failed else 0
    task = ENGINE_TASKS[step.engine].with_options(task_run_name=step.id, **retry_options(step, tried=tried))
    edges = [_edge(ledger.finished[name]) for name in sorted(step.depends_on & ledger.finished.keys())]
    return task.submit(order, wait_for=edges, return_state=False)


def _edge(task_run_id: UUID | None) -> State[Any]:
    # A finished state with the task run's id draws the edge, also to a task run of an earlier process.
    state: State[Any] = Completed(data=True)
    state.state_details.task_run_id = task_run_id
    return state


def _land_one(run: Run, flights: dict[str, Flight], short: OutOfBudget) -> bool:
    """Wait for a step; return whether its approval does not cover what would run."""
    landed = next(as_completed(list(flights.values())))
    step_id = next(name for name, flight in flights.items() if flight is landed)
    del flights[step_id]
    # Until it is waited for, a future tells the state that Prefect had recorded last.
    landed.wait()
    error = landed.state.result(raise_on_failure=False)
    if isinstance(error, LeaseLost | StackError):
        # Not the step's failure: the run is another's, or its ledger is out of reach and it goes on from there later.
        raise error
    if isinstance(error, OrganizationSuspended):
        # Nothing was begun: the next look at the ledger finds the run held.
        return False
    if isinstance(error, ApprovalInvalid):
        void_approval(run, step_id)
        # Asked at once: nothing else would keep it from being started again and again.
        _open_gates(run, [run.plan.step(step_id)])
        return True
    if isinstance(error, BudgetExceeded) and short.note(run, step_id, error, busy=flights.keys()):
        return False
    if isinstance(error, BaseException):
        settle_failure(run, step_id, error)
    return False


def _end(run: Run, move: Move) -> End:
    result = close_run(run, move.end or RunStatus.FAILED, move.reason)
    show_costs(run)
    if result.status is RunStatus.FAILED:
        raise RunFailed(move.reason or "")
    if result.status is RunStatus.CANCELLED:
        return Cancelled(message=move.reason)
    return result
