"""The one executor of plans, called by every entrypoint in its own flow run."""

from typing import Any
from uuid import UUID

from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture, as_completed
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed

from flows.approvals import read_answer, wait_for_decisions
from maos.errors import ApprovalInvalid, RunFailed
from maos.frontier import Move, next_move
from maos.plans import PlanStep
from maos.requests import RunRequest
from maos.runs import Ledger, Run, RunResult
from maos.statuses import RunStatus
from tasks.approvals import open_gate, void_approval
from tasks.artifacts import label_run, show_costs, show_plan
from tasks.attempts import error_for_clients
from tasks.catalogue import actions
from tasks.dispatch import ENGINE_TASKS
from tasks.entrypoints import ENTRYPOINTS
from tasks.ledger import find_run, read_ledger, reread
from tasks.runs import admit, close_run, open_run, wake_run
from tasks.steps import StepOrder

Flight = PrefectFuture[Any]


def conduct(entrypoint: str, request: RunRequest) -> RunResult | State[Any]:
    """Open the run, or take it up where its ledger stands, and execute its plan.

    The plan is made only when the run is opened: a run keeps the plan it began with.

    Raises:
        BadInput: before anything is written or spent.
        RunFailed: when a step failed for good.
    """
    run_id = UUID(flow_run.get_id())
    known = find_run(run_id)
    if known and known.status is RunStatus.COMPLETED:
        return close_run(known, RunStatus.COMPLETED)
    if known:
        return execute_plan(read_answer(known) if known.status is RunStatus.PAUSED else wake_run(known))
    org_id = admit(request)
    open_run(run_id, entrypoint, request, ENTRYPOINTS[entrypoint].plan(request))
    # Read anew: Prefect would draw an edge from the task that returned it to every step.
    run = reread(run_id, org_id)
    label_run(run)
    show_plan(run)
    return execute_plan(run)


def execute_plan(run: Run) -> RunResult | State[Any]:
    """Run every step that is ready, ask for approvals, wait when nothing else can run, and end the run once."""
    flights: dict[str, Flight] = {}
    failed: dict[str, str] = {}
    while True:
        ledger = read_ledger(run)
        move = next_move(run, ledger, actions(), busy=flights.keys(), failed=failed)
        if move.end:
            return _end(run, move)
        for step in move.open_gates:
            open_gate(run, step.id)
        for step in move.start:
            flights[step.id] = _start(run, step, ledger)
        if move.wait_for:
            run = wait_for_decisions(run, move.wait_for)
        elif flights and not move.open_gates:
            failed |= _land_one(run, flights)


def _start(run: Run, step: PlanStep, ledger: Ledger) -> Flight:
    order = StepOrder(run_id=run.id, org_id=run.org_id, step_id=step.id)
    task = ENGINE_TASKS[step.engine].with_options(task_run_name=step.id)
    edges = [_edge(name, ledger) for name in sorted(step.depends_on)]
    return task.submit(order, wait_for=edges, return_state=False)


def _edge(step_id: str, ledger: Ledger) -> State[Any]:
    # A finished state with the task run's id draws the edge, also to a task run of an earlier process.
    state: State[Any] = Completed(data=True)
    state.state_details.task_run_id = ledger.finished[step_id].task_run_id
    return state


def _land_one(run: Run, flights: dict[str, Flight]) -> dict[str, str]:
    landed = next(as_completed(list(flights.values())))
    step_id = next(name for name, flight in flights.items() if flight is landed)
    del flights[step_id]
    # Until it is waited for, a future tells the state that Prefect had recorded last.
    landed.wait()
    error = landed.state.result(raise_on_failure=False)
    if isinstance(error, ApprovalInvalid):
        void_approval(run, step_id)
        return {}
    return {step_id: error_for_clients(error)} if isinstance(error, BaseException) else {}


def _end(run: Run, move: Move) -> RunResult | State[Any]:
    result = close_run(run, move.end or RunStatus.FAILED, move.reason)
    show_costs(run)
    if result.status is RunStatus.FAILED:
        raise RunFailed(move.reason or "")
    if result.status is RunStatus.CANCELLED:
        return Cancelled(message=move.reason)
    return result
