"""One run of the command in a workspace: instructions go in, what it said of its work or a typed failure comes back."""

from pathlib import Path

from blocks.claude_command import CommandLine
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.labels import printable
from maos.tariffs import Tariff
from maos.usage import Receipt, TokenUsage
from maos.workspace_writing import WorkspaceParameters
from tasks.command_results import without_key
from tasks.command_stream import CommandStream
from tasks.supervised import Program, run_supervised
from tasks.workspaces import Workspace

_LONGEST_COMPLAINT = 200


def call_command(
    command: CommandLine,
    parameters: WorkspaceParameters,
    workspace: Workspace,
    *,
    briefing: str,
    tariff: Tariff,
    timeout_seconds: float,
) -> CommandStream:
    """Run the command once; a failure carries a receipt unless it is certain that nothing was consumed.

    Raises:
        EngineFailure: when it has not done its work.
    """
    program = _program(command, parameters, workspace, briefing)
    stream = CommandStream(model=command.model, most_usd=parameters.max_cost_usd, tariff=tariff)
    try:
        stream = run_supervised(program, stream, timeout_seconds=timeout_seconds)
    except EngineFailure as failure:
        raise _told(failure, program, command, _owed(failure, command)) from None
    fault = stream.failure
    if fault and stream.silent and b"unknown option" in _last_of(program.stderr):
        # It refused its arguments, before it called anybody.
        raise _told(EngineFailure(FailureKind.NOT_CONFIGURED, "the command is too old"), program, command, None)
    if fault:
        raise _told(fault, program, command, fault.receipt)
    return stream


def _program(command: CommandLine, parameters: WorkspaceParameters, workspace: Workspace, briefing: str) -> Program:
    told, asked = workspace.home / "briefing.md", workspace.home / "instructions.md"
    told.write_text(briefing, encoding="utf-8")
    asked.write_text(parameters.instructions, encoding="utf-8")
    return Program(
        arguments=command.arguments(
            tools=parameters.tools,
            max_turns=parameters.max_turns,
            max_cost_usd=parameters.max_cost_usd,
            briefing=told,
        ),
        environment=command.environment(workspace.home),
        folder=workspace.folder,
        stdin=asked,
        stderr=workspace.home / "complaints.txt",
    )


def _owed(failure: EngineFailure, command: CommandLine) -> Receipt | None:
    """Return a receipt that lets the ceiling stand, unless the command was never begun."""
    if failure.kind is FailureKind.NOT_CONFIGURED:
        return None
    return Receipt(model=command.model, usage=TokenUsage(), raw_usage={}, final=False)


def _told(failure: EngineFailure, program: Program, command: CommandLine, receipt: Receipt | None) -> EngineFailure:
    complaint = printable(_last_of(program.stderr).decode(errors="replace"), _LONGEST_COMPLAINT)
    detail = f"{failure.detail} ({complaint})" if complaint else failure.detail
    return EngineFailure(failure.kind, without_key(detail, command.key), failure.retry_after, receipt)


def _last_of(complaints: Path) -> bytes:
    if not complaints.is_file():
        return b""
    with complaints.open("rb") as file:
        file.seek(max(complaints.stat().st_size - _LONGEST_COMPLAINT, 0))
        return file.read()
