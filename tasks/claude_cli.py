"""The `claude_cli` engine: a writer whose answers are checked, and rewritten once when they do not hold."""

from datetime import UTC, datetime
from decimal import Decimal

from prefect import get_run_logger, task

from blocks.claude import MODELS, ClaudeEngine
from maos.actions import JsonObject, StepOutcome
from maos.engines import EngineType
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.plans import Plan, PlanStep
from maos.pricing import most_prompt_tokens
from maos.rules_check import text_faults
from maos.tariffs import Tariff
from maos.writing import CALLS_PER_TRY, Prompt, WritingAction, governed_by, longest_form, rewritten, spoken_as
from tasks import claude_command
from tasks.attempts import Attempt
from tasks.catalogue import WORKSPACES, WRITING
from tasks.engines import writer_engine
from tasks.options import ENGINE_OPTIONS
from tasks.payloads import Payload
from tasks.query_trials import trial_faults
from tasks.secrecy import discreet
from tasks.slots import engine_slot
from tasks.steps import StepOrder, take_up, task_run_id
from tasks.tariffs import tariff_of
from tasks.token_counts import tokens_if_worthwhile
from tasks.writer import call_writer, sent_bytes, writer_ceiling


@task(tags={EngineType.CLAUDE_CLI.tag}, **ENGINE_OPTIONS)
@discreet()
def run_claude_cli(order: StepOrder) -> None:
    """Have the writer carry out one step; in a rehearsal its answer is derived from the inputs."""
    payload = take_up(order)
    if payload.step.action in WORKSPACES:
        claude_command.run_workspace_step(payload)
    elif _settled_unasked(payload):
        return
    elif payload.run.rehearsal:
        _rehearse(payload)
    else:
        _write_and_rewrite(payload)


def _write_and_rewrite(payload: Payload) -> None:
    try:
        _write(payload, faults="")
    except EngineFailure as failure:
        if failure.kind is not FailureKind.UNUSABLE_OUTPUT:
            raise
        get_run_logger().warning("step %s is written once more: %s", payload.step.id, failure.detail)
        _write(payload, faults=failure.detail)


def _settled_unasked(payload: Payload) -> bool:
    """Complete a step that leaves nothing to write, and say whether it is one."""
    action = WRITING[payload.step.action]
    parameters = payload.spec.parameters.model_validate(payload.parameters)
    answer = action.unasked(parameters, payload.inputs) if action.unasked else None
    if answer is None:
        return False
    with Attempt(payload, task_run_id=task_run_id()) as attempt:
        attempt.complete(StepOutcome(output=answer, summary="There was nothing to write: no engine was called."))
    return True


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
    with engine_slot(payload.run, EngineType.CLAUDE_CLI):
        _ask(payload, engine, prompt)


def _ask(payload: Payload, engine: ClaudeEngine, prompt: Prompt) -> None:
    action, counted = WRITING[payload.step.action], tokens_if_worthwhile(engine, prompt)
    tariff = tariff_of(payload.run.org_id)
    ceiling = writer_ceiling(engine, prompt, tariff, counted_tokens=counted)
    tokens = most_prompt_tokens(sent_bytes(engine, prompt), counted) + prompt.max_output_tokens
    with Attempt(
        payload, ceiling_usd=ceiling, ceiling_tokens=tokens, tariff=tariff, task_run_id=task_run_id()
    ) as attempt:
        reply = call_writer(engine, prompt, get_run_logger().info)
        attempt.spend(reply)
        _check(action, payload, reply.answer)
        attempt.complete(StepOutcome(output=reply.answer, summary=f"Written in {reply.usage.output_tokens} tokens."))


def step_ceiling(payload: Payload) -> Decimal:
    """Return what the step can cost at most, every try and its rewrite included, in USD."""
    if payload.run.rehearsal:
        return Decimal(0)
    if payload.step.action in WORKSPACES:
        return claude_command.step_ceiling(payload)
    engine = writer_engine()
    prompt = _prompt(WRITING[payload.step.action], payload, engine)
    return _calls(payload.step) * writer_ceiling(engine, longest_form(prompt), tariff_of(payload.run.org_id))


def planned_ceilings(plan: Plan, tariff: Tariff, prose: str) -> dict[str, Decimal]:
    """Return what each step of the engine can cost at most, before anything it reads is known, in USD.

    Args:
        prose: of the rules, which the writer is told in each call.
    """
    writing = [(step, WRITING[step.action]) for step in plan.steps if step.action in WRITING]
    written = {step.id: _planned_ceiling(step, action, tariff, prose) for step, action in writing}
    working = [step for step in plan.steps if step.action in WORKSPACES]
    return written | {step.id: claude_command.planned_ceiling(step, tariff) for step in working}


def _planned_ceiling(step: PlanStep, action: WritingAction, tariff: Tariff, prose: str) -> Decimal:
    most = _most_bytes(action, step, prose)
    return _calls(step) * _ceiling_of_call(most, action, writer_engine().model_id, tariff)


def ceilings_of_try(action: WritingAction) -> dict[str, Decimal]:
    """Return what one try of an action can cost at most, its rewrite included, in USD by the model that may write."""
    bare = Tariff(at=datetime.now(UTC))
    return {
        alias: CALLS_PER_TRY * _ceiling_of_call(action.longest_prompt_bytes, action, model, bare)
        for alias, model in MODELS.items()
    }


def _ceiling_of_call(most_bytes: int, action: WritingAction, model: str, tariff: Tariff) -> Decimal:
    return tariff.ceiling_of(sent_bytes=most_bytes, max_output_tokens=action.longest_answer_tokens, model=model)


def _calls(step: PlanStep) -> int:
    return step.retry.attempts * CALLS_PER_TRY


def _prompt(action: WritingAction, payload: Payload, engine: ClaudeEngine) -> Prompt:
    parameters = payload.spec.parameters.model_validate(payload.parameters)
    asked = spoken_as(payload.step.agent.persona, action.prompt(parameters, payload.inputs))
    prompt = governed_by(payload.book.prose, asked)
    size, most = sent_bytes(engine, longest_form(prompt)), _most_bytes(action, payload.step, payload.book.prose)
    if size > most:
        limit = f"{action.spec.name} sends at most {most:,} here"
        raise EngineFailure(FailureKind.TOO_LONG, f"the prompt comes to {size:,} bytes; {limit}")
    if prompt.max_output_tokens > action.longest_answer_tokens:
        limit = f"{action.spec.name} asks for at most {action.longest_answer_tokens:,}"
        raise EngineFailure(FailureKind.TOO_LONG, f"the answer may take {prompt.max_output_tokens:,} tokens; {limit}")
    return prompt


def _most_bytes(action: WritingAction, step: PlanStep, prose: str) -> int:
    """Return how much a step may send, the rewrite included: what its plan was priced for."""
    if action.promised_bytes is None:
        return action.longest_prompt_bytes
    promised = action.promised_bytes(action.spec.parameters.model_validate(step.parameters))
    told = f"{prose}{step.agent.persona}\n\n"
    return min(action.longest_prompt_bytes, promised + len(told.encode()))


def _check(action: WritingAction, payload: Payload, answer: JsonObject) -> None:
    faults = [*action.review(answer, payload.inputs), *text_faults(payload.book.rules, answer)]
    if faults := faults or trial_faults(payload.step.action, answer, payload.inputs):
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, "\n".join(faults))
