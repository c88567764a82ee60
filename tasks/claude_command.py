"""Work in a workspace: the writer's command line changes files, and what it has changed becomes files of the run."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from prefect import get_run_logger
from pydantic import TypeAdapter, ValidationError

from blocks.claude import MODELS
from blocks.claude_command import CommandLine
from maos.actions import ArtifactRef, StepOutcome
from maos.engines import EngineType
from maos.errors import EngineFailure, InputMismatch
from maos.failures import FailureKind
from maos.labels import printable
from maos.plans import PlanStep
from maos.rules_check import text_faults
from maos.tariffs import Tariff
from maos.workspace_writing import (
    WorkDone,
    WorkspaceParameters,
    briefing,
    default_ceiling,
    rehearsed_note,
    work_ceiling,
    work_tokens,
)
from maos.workspaces import kept_name, path_fault, path_within, place_fault, size_fault
from tasks.attempts import Attempt
from tasks.command_call import call_command
from tasks.command_results import without_key
from tasks.command_stream import CommandStream
from tasks.engines import workspace_command, writer_engine
from tasks.files import read_file, write_file
from tasks.payloads import Payload
from tasks.slots import engine_slot
from tasks.steps import run_folder, task_run_id
from tasks.tariffs import tariff_of
from tasks.workspaces import Workspace

_NOTE = "REHEARSAL.md"
_LONGEST_SUMMARY = 300
# Files of earlier steps: one, or those of a workspace.
_FILES = TypeAdapter(tuple[ArtifactRef, ...])


def run_workspace_step(payload: Payload) -> None:
    """Carry out one step in a workspace; in a rehearsal it leaves a note that is written by rule."""
    if payload.run.rehearsal:
        _rehearse(payload)
    else:
        _work(payload)


def _rehearse(payload: Payload) -> None:
    note = rehearsed_note(_parameters(payload), tuple(_files_of(payload)))
    with Attempt(payload, task_run_id=task_run_id()) as attempt:
        file = write_file(run_folder(payload.run), kept_name(payload.step.id, _NOTE), note.encode(), "text/markdown")
        summary = "Rehearsal: written by rule, no engine was called."
        done = WorkDone(summary=summary, files=(file,), deleted=(), turns=0, rehearsed=True)
        attempt.complete(StepOutcome(output=done.model_dump(mode="json"), summary=summary, artifacts=(file,)))


def _work(payload: Payload) -> None:
    command, files = workspace_command().ready(writer_engine()), _files_of(payload)
    with engine_slot(payload.run, EngineType.CLAUDE_CLI):
        _work_with(command, payload, files)


def _work_with(command: CommandLine, payload: Payload, files: Mapping[str, bytes]) -> None:
    tariff = tariff_of(payload.run.org_id)
    parameters = _parameters(payload)
    ceiling = work_ceiling(parameters.max_cost_usd, model=command.model, tariff=tariff)
    tokens = work_tokens(parameters.max_turns)
    with Attempt(
        payload, ceiling_usd=ceiling, ceiling_tokens=tokens, tariff=tariff, task_run_id=task_run_id()
    ) as attempt:
        with Workspace(run_folder(payload.run), payload.step.id, files) as workspace:
            stream = _call(command, payload, workspace, tariff)
            attempt.spend(stream.receipt())
            changed, deleted = workspace.keep_changes(secret=command.key)
        outcome = _outcome(stream, command, changed, deleted)
        _check_words(payload, outcome)
        attempt.complete(outcome)


def _check_words(payload: Payload, outcome: StepOutcome) -> None:
    if faults := text_faults(payload.book.rules, outcome.output):
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, "\n".join(faults))


def step_ceiling(payload: Payload) -> Decimal:
    """Return what the step can cost at most, every try included, in USD."""
    return planned_ceiling(payload.step, tariff_of(payload.run.org_id))


def planned_ceiling(step: PlanStep, tariff: Tariff) -> Decimal:
    """Return what a step of a plan can cost at most, every try included, in USD."""
    most = WorkspaceParameters.model_validate(step.parameters).max_cost_usd
    return step.retry.attempts * work_ceiling(most, model=workspace_command().model_id, tariff=tariff)


def ceilings_of_try() -> dict[str, Decimal]:
    """Return what one try can cost at most under the limit of money that counts by default, in USD by model."""
    bare = Tariff(at=datetime.now(UTC))
    return {alias: default_ceiling(model, bare) for alias, model in MODELS.items()}


def _call(command: CommandLine, payload: Payload, workspace: Workspace, tariff: Tariff) -> CommandStream:
    parameters = _parameters(payload)
    get_run_logger().info("the writer works in a workspace, for at most %s turns", parameters.max_turns)
    return call_command(
        command,
        parameters,
        workspace,
        briefing=briefing(persona=payload.step.agent.persona, house_rules=payload.book.prose),
        tariff=tariff,
        timeout_seconds=payload.timeout_seconds,
    )


def _outcome(
    stream: CommandStream, command: CommandLine, changed: tuple[ArtifactRef, ...], deleted: tuple[str, ...]
) -> StepOutcome:
    result = stream.result or {}
    words = without_key(str(result.get("result") or ""), command.key)
    turns = int(result.get("num_turns") or 0)
    done = WorkDone(summary=words, files=changed, deleted=deleted, turns=turns, rehearsed=False)
    summary = f"{len(changed)} files changed, {len(deleted)} deleted: {printable(words, _LONGEST_SUMMARY)}"
    return StepOutcome(output=done.model_dump(mode="json"), summary=summary, artifacts=changed)


def _files_of(payload: Payload) -> dict[str, bytes]:
    """Return what a workspace begins with: the step's own texts, and the files of earlier steps that it reads."""
    texts = {path: text.encode() for path, text in _parameters(payload).files.items()}
    placed = _placed(payload.inputs)
    if twice := sorted(texts.keys() & placed.keys()):
        raise InputMismatch("files", f"{twice[0]} is both a text and a file of an earlier step")
    sizes = [*map(len, texts.values()), *(file.size for file in placed.values())]
    if fault := place_fault([*texts, *placed]) or size_fault(sizes):
        raise InputMismatch("files", fault)
    folder = run_folder(payload.run)
    return texts | {path: read_file(folder, file) for path, file in placed.items()}


def _placed(inputs: Mapping[str, Any]) -> dict[str, ArtifactRef]:
    """Return the files among the inputs by where they are put; other inputs are there for the instructions."""
    placed: dict[str, ArtifactRef] = {}
    for name, value in inputs.items():
        for file in _as_files(value):
            path = path_within(file)
            if fault := path_fault(file.name) or path_fault(path):
                raise InputMismatch(name, f"{printable(file.name)}: {fault}")
            if path in placed:
                raise InputMismatch(name, f"{path} stands in two files")
            placed[path] = file
    return placed


def _as_files(value: Any) -> tuple[ArtifactRef, ...]:
    try:
        return _FILES.validate_python(value if isinstance(value, list) else [value])
    except ValidationError:
        return ()


def _parameters(payload: Payload) -> WorkspaceParameters:
    return WorkspaceParameters.model_validate(payload.parameters)
