"""The `claude_cli` engine: a writer whose answers are checked, and rewritten once when they do not hold."""

from datetime import UTC, datetime
from decimal import Decimal

from prefect import get_run_logger, task

from maos.actions import JsonObject, StepOutcome
from maos.engines import EngineType
from maos.errors import EngineFailure, FailureKind
from maos.writing import Prompt, WritingAction
from tasks.attempts import Attempt
from tasks.catalogue import WRITING
from tasks.engines import writer_engine
from tasks.options import CLAUDE_OPTIONS
from tasks.payloads import Payload
from tasks.steps import StepOrder, take_up, task_run_id
from tasks.writer import call_writer, writer_ceiling


@task(tags={EngineType.CLAUDE_CLI.tag}, **CLAUDE_OPTIONS)
def run_claude_cli(order: StepOrder) -> None:
    """Have the writer carry out one step; in a rehearsal its answer is derived from the inputs."""
    payload = take_up(order)
    if payload is None:
        return
    if payload.run.rehearsal:
        _rehearse(payload)
        return
    try:
        _write(payload, faults="")
    except EngineFailure as failure:
        if failure.kind is not FailureKind.UNUSABLE_OUTPUT:
            raise
        get_run_logger().warning("step %s is written once more: %s", payload.step.id, failure.detail)
        _write(payload, faults=failure.detail)


def _rehearse(payload: Payload) -> None:
    action = WRITING[payload.step.action]
    parameters = payload.spec.parameters.model_validate(payload.parameters)
    with Attempt(payload, task_run_id=task_run_id()) as attempt:
        answer = action.rehearse(parameters, payload.inputs)
        _check(action, payload, answer)
        attempt.complete(StepOutcome(output=answer, summary="Rehearsal: written by rule, no engine was called."))


def _write(payload: Payload, *, faults: str) -> None:
    action = WRITING[payload.step.action]
    prompt = _prompt(action, payload, faults)
    engine = writer_engine()
    ceiling = writer_ceiling(engine, prompt, datetime.now(UTC))
    with Attempt(payload, ceiling_usd=ceiling, task_run_id=task_run_id()) as attempt:
        reply = call_writer(engine, prompt, get_run_logger().info)
        attempt.spend(reply)
        _check(action, payload, reply.answer)
        attempt.complete(StepOutcome(output=reply.answer, summary=f"Written in {reply.usage.output_tokens} tokens."))


def step_ceiling(payload: Payload) -> Decimal:
    """Return what the step can cost at most, its one rewrite included, in USD."""
    if payload.run.rehearsal:
        return Decimal(0)
    prompt = _prompt(WRITING[payload.step.action], payload, faults="")
    return 2 * writer_ceiling(writer_engine(), prompt, datetime.now(UTC))


def _prompt(action: WritingAction, payload: Payload, faults: str) -> Prompt:
    prompt = action.prompt(payload.spec.parameters.model_validate(payload.parameters), payload.inputs)
    if not faults:
        return prompt
    return prompt.model_copy(
        update={"user": f"{prompt.user}\n\nYour last answer was refused:\n{faults}\nWrite it anew."}
    )


def _check(action: WritingAction, payload: Payload, answer: JsonObject) -> None:
    if faults := action.review(answer, payload.inputs):
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, "\n".join(faults))
