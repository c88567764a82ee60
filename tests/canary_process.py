"""A flow process of its own that runs one plan with steps of every engine, each of which gives away what it can.

Prefect must have been pointed at a server before this is imported. A new engine needs an entry in `STEPS`, and answers
of its vendor in the test that starts this.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from pydantic import BaseModel

from blocks.mail_server import MailServer
from flows.execution import conduct
from flows.options import ENTRYPOINT_OPTIONS
from maos.actions import ActionSpec, JsonObject, StepOutcome
from maos.engines import EngineType
from maos.plans import OnFailure, Plan, PlanStep, RetryPolicy
from maos.requests import RunRequest
from maos.risk import RiskLevel
from maos.runs import RunResult
from maos.settings import DatabaseRole, load_settings
from maos.writing import Prompt, WritingAction
from tasks.catalogue import WRITING
from tasks.connections import mail_server
from tasks.engines import writer_engine
from tasks.entrypoints import ENTRYPOINTS, Entrypoint
from tasks.services.registry import ServiceCall, internal_service

ENTRYPOINT = "run_workflow"
TITLE = "Asked of Claude"


class Words(BaseModel):
    """What the writer is asked for."""

    text: str = ""


def _step(name: str, engine: EngineType, action: str, **fields: Any) -> PlanStep:
    once = RetryPolicy(attempts=1)
    return PlanStep(
        id=name, agent="clerk", engine=engine, action=action, retry=once, on_failure=OnFailure.CONTINUE, **fields
    )


def _writer_steps() -> tuple[PlanStep, ...]:
    one = _step("tells", EngineType.CLAUDE_CLI, "write_words")
    return one, _step("breaks", EngineType.CLAUDE_CLI, "write_words", after=("tells",))


def _image_steps() -> tuple[PlanStep, ...]:
    prompt = {"prompt": "A lighthouse", "aspect_ratio": "1:1"}
    one = _step("draws", EngineType.GEMINI_IMAGE, "create_image", parameters=prompt)
    return one, _step("smears", EngineType.GEMINI_IMAGE, "create_image", parameters=prompt, after=("draws",))


def _agent_steps() -> tuple[PlanStep, ...]:
    asked = {"goal": "Find out what the services say.", "tools": ["stumble", "echo"]}
    one = _step("seeks", EngineType.DEEP_AGENT, "investigate", parameters=asked, after=("smears",))
    return one, _step("gropes", EngineType.DEEP_AGENT, "investigate", parameters=asked, after=("seeks",))


def _service_steps() -> tuple[PlanStep, ...]:
    read = {"inputs": {"words": "tells"}}
    hook = {"url": os.environ["CANARY_HOOK"], "body": '{"said": {{ words.text | tojson }}}'}
    mail = {"to": ["customer@demo.example"], "subject": "From the writer", "body": "It said: {{ words.text }}"}
    return (
        _step("stumbles", EngineType.INTERNAL_SERVICE, "stumble"),
        _step("echoes", EngineType.INTERNAL_SERVICE, "echo"),
        _step("calls", EngineType.INTERNAL_SERVICE, "call_webhook", parameters=hook, **read),
        _step("mails", EngineType.INTERNAL_SERVICE, "send_email", parameters=mail, **read),
    )


STEPS: Mapping[EngineType, Callable[[], tuple[PlanStep, ...]]] = {
    EngineType.CLAUDE_CLI: _writer_steps,
    EngineType.GEMINI_IMAGE: _image_steps,
    EngineType.DEEP_AGENT: _agent_steps,
    EngineType.INTERNAL_SERVICE: _service_steps,
}


def _secrets(call: ServiceCall[Words]) -> str:
    server: MailServer = call.tool
    password = server.password.get_secret_value() if server.password else ""
    return f"{password} at {load_settings().database_address(DatabaseRole.APP)}, asked by claude-opus-5-5"


def install() -> None:
    """Make the plan and its actions known to this process."""
    spec = ActionSpec(
        name="write_words",
        engine=EngineType.CLAUDE_CLI,
        risk=RiskLevel.LOW,
        title="Write.",
        parameters=Words,
        output=Words,
    )
    WRITING[spec.name] = WritingAction(
        spec=spec,
        prompt=lambda _parameters, _inputs: Prompt(system="You write.", user="Write.", answer=Words),
        review=lambda _answer, _inputs: [],
        rehearse=_nothing,
        longest_prompt_bytes=50_000,
    )

    @internal_service(action="stumble", risk=RiskLevel.LOW, title="Stumble.", parameters=Words, needs=mail_server)
    def stumble(call: ServiceCall[Words]) -> StepOutcome:
        raise RuntimeError(f"cannot log in with {_secrets(call)}")

    @internal_service(action="echo", risk=RiskLevel.LOW, title="Echo.", parameters=Words, needs=mail_server)
    def echo(call: ServiceCall[Words]) -> StepOutcome:
        return StepOutcome(output={"text": _secrets(call)}, summary=f"Echoed {_secrets(call)}.")

    steps = tuple(step for make in STEPS.values() for step in make())
    ENTRYPOINTS[ENTRYPOINT] = Entrypoint(RunRequest, lambda _request: Plan(steps=steps, parallelism=1), "none")


def _nothing(_parameters: BaseModel, _inputs: Mapping[str, JsonObject]) -> JsonObject:
    return {}


@flow(name="canary", **ENTRYPOINT_OPTIONS)
def canary_flow(request: RunRequest) -> RunResult | State[Any]:
    """Run the plan, and say aloud what nobody may hear."""
    result = conduct(ENTRYPOINT, request)
    key = writer_engine().resolved_key()
    secret = key.get_secret_value() if key else ""
    get_run_logger().info("the key is %s", secret, extra={"key": secret})
    try:
        raise ValueError(f"a value: {secret}")
    except ValueError:
        get_run_logger().exception("it broke")
    return result


def main() -> None:
    """Run the plan to its end."""
    install()
    request = RunRequest(org="demo", initiator="author@demo.example", title=TITLE)
    canary_flow(request, return_state=True)
