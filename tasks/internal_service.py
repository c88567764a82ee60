"""The `internal_service` engine: registered functions of this project, free of charge, each call in its own process."""

from prefect import task
from pydantic import BaseModel

from maos.actions import StepOutcome
from maos.engines import EngineType
from sql import budgets
from sql.session import org_session
from tasks.apart import run_apart
from tasks.artifacts import show_artifacts
from tasks.attempts import Attempt
from tasks.effects import key_of
from tasks.options import ENGINE_OPTIONS
from tasks.payloads import Payload
from tasks.secrecy import discreet
from tasks.services.registry import SERVICES, RegisteredService, RunFacts, ServiceCall
from tasks.slots import engine_slot
from tasks.steps import StepOrder, run_folder, take_up, task_run_id

# A service that keeps its own time knows what became of it; killed in the middle, nobody does.
_GRACE_SECONDS = 2.0


@task(tags={EngineType.INTERNAL_SERVICE.tag}, **ENGINE_OPTIONS)
@discreet()
def run_internal_service(order: StepOrder) -> None:
    """Carry out one step with a registered service."""
    payload = take_up(order)
    service = SERVICES[payload.step.action]
    # Before the attempt begins: what fails here has certainly done nothing.
    call = call_of(payload, service)
    with (
        engine_slot(payload.run, EngineType.INTERNAL_SERVICE),
        Attempt(payload, task_run_id=task_run_id()) as attempt,
    ):
        outcome = _carry_out(service, call, confirmed=attempt.confirmed_by is not None)
        attempt.complete(outcome)
    show_artifacts(payload.run, outcome)


def _carry_out(service: RegisteredService, call: ServiceCall[BaseModel], *, confirmed: bool) -> StepOutcome:
    if confirmed and service.confirmed:
        # A person says that the effect happened: it is written down, not done.
        return service.confirmed(call)
    if service.guard:
        service.guard(call)
    if not service.apart:
        return service.run(call)
    return run_apart(lambda: service.run(call), timeout_seconds=call.timeout_seconds + _GRACE_SECONDS)


def call_of(payload: Payload, service: RegisteredService) -> ServiceCall[BaseModel]:
    """Return the call that the service will get: also what its preview shows to a reviewer."""
    run = payload.run
    with org_session(run.org_id) as session:
        cost = budgets.cost_of_run(run.id, session=session)
    return ServiceCall(
        parameters=payload.spec.parameters.model_validate(payload.parameters),
        inputs=payload.inputs,
        folder=run_folder(run),
        run=RunFacts(
            run_id=run.id,
            org=run.org,
            title=run.title,
            initiator=run.initiator,
            started_at=run.started_at,
            rehearsal=run.rehearsal,
            cost_usd=cost,
        ),
        key=key_of(run, payload.step.id),
        timeout_seconds=payload.timeout_seconds,
        tool=service.needs() if service.needs else None,
    )
