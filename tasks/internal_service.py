"""The `internal_service` engine: registered functions of this project, free of charge."""

from prefect import task
from pydantic import BaseModel

from maos.engines import EngineType
from sql import budgets
from sql.session import org_session
from tasks.artifacts import show_artifacts
from tasks.attempts import Attempt
from tasks.options import SERVICE_OPTIONS
from tasks.payloads import Payload
from tasks.services.registry import SERVICES, RunFacts, ServiceCall
from tasks.steps import StepOrder, run_folder, take_up, task_run_id


@task(tags={EngineType.INTERNAL_SERVICE.tag}, **SERVICE_OPTIONS)
def run_internal_service(order: StepOrder) -> None:
    """Carry out one step with a registered service."""
    payload = take_up(order)
    if payload is None:
        return
    with Attempt(payload, task_run_id=task_run_id()) as attempt:
        outcome = SERVICES[payload.step.action].run(call_of(payload))
        attempt.complete(outcome)
    show_artifacts(payload.run, outcome)


def call_of(payload: Payload) -> ServiceCall[BaseModel]:
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
    )
