"""The `claude_cli` engine: a writer whose answers are checked, and rewritten once when they do not hold."""

from datetime import UTC, datetime
from decimal import Decimal

from prefect import get_run_logger, task

from blocks.claude import MODELS, ClaudeEngine
from maos.actions import JsonObject, StepOutcome
from maos.engines import EngineType
from maos.errors import EngineFailure, FailureKind
from maos.plans import Plan, PlanStep
from maos.pricing import ceiling_of
from maos.writing import CALLS_PER_TRY, Prompt, WritingAction, longest_form, rewritten, spoken_as
from tasks.attempts import Attempt
from tasks.catalogue import WRITING
from tasks.engines import writer_engine
from tasks.options import ENGINE_OPTIONS
from tasks.payloads import Payload
from tasks.secrecy import discreet
from tasks.steps import StepOrder, take_up, task_run_id
from tasks.writer import call_writer, sent_bytes, writer_ceiling


@task(tags={EngineType.CLAUDE_CLI.tag}, **ENGINE_OPTIONS)
@discreet()
def run_claude_cli(order: StepOrder) -> None:
    """Have the writer carry out one step; in a rehearsal its answer is derived from the inputs."""
    payload = take_up(order)
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
    engine = writer_engine().within(payload.timeout_seconds)
    prompt = _prompt(action, payload, engine)
    if faults:
        prompt = rewritten(prompt, faults)
    ceiling = writer_ceiling(engine, prompt, datetime.now(UTC))
    with Attempt(payload, ceiling_usd=ceiling, task_run_id=task_run_id()) as attempt:
        reply = call_writer(engine, prompt, get_run_logger().info)
        attempt.spend(reply)
        _check(action, payload, reply.answer)
        attempt.complete(StepOutcome(output=reply.answer, summary=f"Written in {reply.usage.output_tokens} tokens."))


def step_ceiling(payload: Payload) -> Decimal:
    """Return what the step can cost at most, every try and its rewrite included, in USD."""
    if payload.run.rehearsal:
        return Decimal(0)
    engine = writer_engine()
    prompt = _prompt(WRITING[payload.step.action], payload, engine)
    return _calls(payload.step) * writer_ceiling(engine, longest_form(prompt), datetime.now(UTC))


def planned_ceilings(plan: Plan, *, rehearsal: bool) -> dict[str, Decimal]:
    """Return what each writing step of a plan can cost at most, before anything it reads is known, in USD."""
    if rehearsal:
        return {}
    return {step.id: _planned_ceiling(step, WRITING[step.action]) for step in plan.steps if step.action in WRITING}


def _planned_ceiling(step: PlanStep, action: WritingAction) -> Decimal:
    return _calls(step) * _planned_ceiling_of_call(action, writer_engine().model_id)


def ceilings_of_try(action: WritingAction) -> dict[str, Decimal]:
    """Return what one try of an action can cost at most, its rewrite included, in USD by the model that may write."""
    return {alias: CALLS_PER_TRY * _planned_ceiling_of_call(action, model) for alias, model in MODELS.items()}


def _planned_ceiling_of_call(action: WritingAction, model: str) -> Decimal:
    return ceiling_of(
        sent_bytes=action.longest_prompt_bytes,
        max_output_tokens=action.longest_answer_tokens,
        model=model,
        at=datetime.now(UTC),
    )


def _calls(step: PlanStep) -> int:
    return step.retry.attempts * CALLS_PER_TRY


def _prompt(action: WritingAction, payload: Payload, engine: ClaudeEngine) -> Prompt:
    parameters = payload.spec.parameters.model_validate(payload.parameters)
    prompt = spoken_as(payload.step.agent.persona, action.prompt(parameters, payload.inputs))
    _check_size(action, size=sent_bytes(engine, longest_form(prompt)), answer_tokens=prompt.max_output_tokens)
    return prompt


def _check_size(action: WritingAction, *, size: int, answer_tokens: int) -> None:
    name = action.spec.name
    if size > action.longest_prompt_bytes:
        limit = f"{name} sends at most {action.longest_prompt_bytes:,}"
        raise EngineFailure(FailureKind.TOO_LONG, f"the prompt comes to {size:,} bytes; {limit}")
    if answer_tokens > action.longest_answer_tokens:
        limit = f"{name} asks for at most {action.longest_answer_tokens:,}"
        raise EngineFailure(FailureKind.TOO_LONG, f"the answer may take {answer_tokens:,} tokens; {limit}")


def _check(action: WritingAction, payload: Payload, answer: JsonObject) -> None:
    if faults := action.review(answer, payload.inputs):
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, "\n".join(faults))
