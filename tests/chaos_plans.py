"""What the chaos harness runs: plans whose effects are counted on the other side."""

import os
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from pydantic import BaseModel

from flows.execution import conduct
from flows.options import ENTRYPOINT_OPTIONS
from maos.actions import StepOutcome
from maos.effects import Effect, EffectKind
from maos.engines import EngineType
from maos.plans import Plan, PlanStep, RetryPolicy
from maos.requests import RunRequest
from maos.risk import RiskLevel
from maos.runs import RunResult
from tasks.entrypoints import ENTRYPOINTS, Entrypoint
from tasks.files import write_file
from tasks.services.registry import SERVICES, ServiceCall, internal_service

ENTRYPOINT = "run_workflow"
DEPLOYMENT = "chaos/run-workflow"
RECIPIENT = "customer@demo.example"
FILE = "published/note.txt"


class Words(BaseModel):
    """What a test service is given."""

    text: str = ""


def install() -> None:
    """Make the plans known to this process, as another release of maos would."""
    ENTRYPOINTS[ENTRYPOINT] = Entrypoint(RunRequest, plan_of_request, DEPLOYMENT)
    if "chaos_note" in SERVICES:
        return

    @internal_service(action="chaos_note", risk=RiskLevel.LOW, title="Note.", parameters=Words, open_inputs=True)
    def note(call: ServiceCall[Words]) -> StepOutcome:
        return StepOutcome(output={"text": call.parameters.text}, summary="Noted.")

    @internal_service(
        action="chaos_propose", risk=RiskLevel.LOW, title="Propose.", parameters=Words, proposes_steps=True
    )
    def propose(_call: ServiceCall[Words]) -> StepOutcome:
        more = step("added", "chaos_note", after=("propose",), text="added").model_dump(mode="json")
        return StepOutcome(output={"text": "more"}, summary="Proposed a step.", proposed_steps=(more,))

    @internal_service(
        action="chaos_publish",
        risk=RiskLevel.LOW,
        title="Publish.",
        parameters=Words,
        effect=Effect(kind=EffectKind.PUBLISH, repeatable=True),
    )
    def publish(call: ServiceCall[Words]) -> StepOutcome:
        file = write_file(call.folder, FILE, call.parameters.text.encode(), "text/plain")
        return StepOutcome(output={"file": file.name}, summary="Published.", artifacts=(file,))


def step(name: str, action: str, *, after: tuple[str, ...] = (), **parameters: object) -> PlanStep:
    """Return a step that is tried again at once."""
    return PlanStep(
        id=name,
        agent="clerk",
        engine=EngineType.INTERNAL_SERVICE,
        action=action,
        parameters=parameters,
        after=after,
        retry=RetryPolicy(first_delay_seconds=0, jitter=0),
    )


def plan_of_request(request: RunRequest) -> Plan:
    """Return steps with every kind of effect, in parallel and one after the other; or an agent's step."""
    if request.title.startswith("agent"):
        return Plan(steps=(_agent(request.title),))
    body = '{"run": "' + request.title + '"}'
    return Plan(
        parallelism=4,
        steps=(
            step("propose", "chaos_propose"),
            step("publish", "chaos_publish", text=request.title),
            step("mail", "send_email", after=("publish",), to=[RECIPIENT], subject=request.title, body="Done."),
            step("hook", "call_webhook", after=("propose",), url=os.environ["CHAOS_HOOK"], body=body),
            step(
                "keyed",
                "call_webhook",
                after=("mail", "hook"),
                url=os.environ["CHAOS_KEYED_HOOK"],
                body=body,
                receiver_keeps_keys=True,
            ),
        ),
    )


def _agent(title: str) -> PlanStep:
    return PlanStep(
        id="research",
        agent="Ada",
        engine=EngineType.DEEP_AGENT,
        action="investigate",
        parameters={"goal": title, "tools": ["chaos_note", "call_webhook"]},
        retry=RetryPolicy(first_delay_seconds=0, jitter=0),
    )


def parameters_of(stored: dict[str, Any]) -> dict[str, Any]:
    """Return a flow run's parameters as the flow takes them."""
    return {"request": RunRequest.model_validate(stored["request"])}


@flow(name="chaos", **ENTRYPOINT_OPTIONS)
def chaos_flow(request: RunRequest) -> RunResult | State[Any]:
    """Run a plan of the chaos harness."""
    return conduct(ENTRYPOINT, request)


def published(home: Path, org: str, run_id: object) -> str | None:
    """Return what a run has published."""
    file = home / "artifacts" / org / str(run_id) / FILE
    return file.read_text() if file.exists() else None
