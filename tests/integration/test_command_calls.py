"""Each way in which the command does or does not deliver: its kind, its cost, and that nothing of it is left."""

import os
import pickle
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pytest

from blocks.claude_command import CommandLine
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.pricing import cost_of
from maos.tariffs import Tariff
from maos.usage import Receipt
from maos.workspace_writing import WorkspaceParameters
from tasks.command_call import call_command
from tasks.command_stream import CommandStream
from tasks.workspaces import Workspace
from tests.claude_command import USAGE, ClaudeDouble
from tests.gates import wait_for

ROOT = Path(__file__).parent.parent.parent
KEY = "gateway.canary+7d20"
MODEL = "claude-sonnet-5-5"
COST = Decimal("0.004719")
NOTHING = Decimal(0)
# What a call may have cost that is not known to its end.
CEILING = None


@pytest.fixture
def double(tmp_path: Path) -> ClaudeDouble:
    return ClaudeDouble(tmp_path / "bin", key=KEY)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(tmp_path / "run", "work", {}) as made:
        yield made


def line_of(double: ClaudeDouble, key: str = KEY) -> CommandLine:
    return CommandLine(path=str(double.path), model=MODEL, key=key, address="http://127.0.0.1:9")


def call(
    double: ClaudeDouble, workspace: Workspace, *, key: str = KEY, seconds: float = 60, **parameters: Any
) -> CommandStream:
    asked = WorkspaceParameters.model_validate({"instructions": "Write notes.", "max_cost_usd": "9"} | parameters)
    tariff = Tariff(at=datetime.now(UTC))
    return call_command(
        line_of(double, key), asked, workspace, briefing="Be brief.", tariff=tariff, timeout_seconds=seconds
    )


def failure_of(double: ClaudeDouble, workspace: Workspace, **fields: Any) -> EngineFailure:
    """Return the failure of one call, which tells nobody the key and leaves no process."""
    with pytest.raises(EngineFailure) as caught:
        call(double, workspace, **fields)
    told = "".join(traceback.format_exception(caught.value)) + repr(pickle.dumps(caught.value))
    assert KEY not in told
    assert double.complaints == []
    assert leftovers(double) == []
    return caught.value


def leftovers(double: ClaudeDouble) -> list[int]:
    started = [*double.children, *(call.pid for call in double.calls)]
    return [pid for pid in started if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


def owed(receipt: Receipt | None) -> Decimal | None:
    """Return what a call is settled at; None where its ceiling stands."""
    if receipt is None or not receipt.final:
        return NOTHING if receipt is None else CEILING
    at = datetime.now(UTC)
    return sum((cost_of(usage, model, at).usd for model, usage in receipt.by_model()), start=NOTHING)


@pytest.mark.parametrize(
    ("behaviour", "kind", "cost"),
    [
        ({"usage": [], "result": {"is_error": True, "api_error_status": 400}}, "bad_request", NOTHING),
        ({"usage": [], "result": {"is_error": True, "api_error_status": 401}}, "not_permitted", NOTHING),
        ({"usage": [], "result": {"is_error": True, "api_error_status": 404}}, "bad_request", NOTHING),
        ({"usage": [], "result": {"is_error": True, "api_error_status": 413}}, "too_long", NOTHING),
        ({"usage": [], "result": {"is_error": True, "api_error_status": 429}}, "rate_limited", NOTHING),
        ({"usage": [], "result": {"is_error": True, "api_error_status": 500}}, "unreachable", NOTHING),
        ({"usage": [], "result": {"is_error": True, "api_error_status": 529}}, "overloaded", NOTHING),
        ({"usage": [], "result": {"is_error": True, "api_error_status": 504}}, "timed_out", CEILING),
        ({"usage": [], "result": {"is_error": True}, "says": "Credit balance is too low"}, "billing", NOTHING),
        ({"usage": [], "result": {"is_error": True}, "says": "Not logged in"}, "not_configured", NOTHING),
        ({"usage": [], "result": {"is_error": True}, "says": "Unable to connect to API"}, "unreachable", NOTHING),
        ({"result": {"is_error": True}, "says": "Prompt is too long"}, "too_long", COST),
        ({"result": {"is_error": True}, "says": "exceeded the 16000 output token maximum"}, "truncated", COST),
        ({"result": {"is_error": True, "stop_reason": "refusal"}, "says": "API Error: no"}, "declined", COST),
        ({"result": {"is_error": True, "api_error_status": 529}}, "overloaded", COST),
        ({"result": {"is_error": True, "api_error_status": 529}, "cut": 1}, "overloaded", CEILING),
        ({"result": {"is_error": True}, "says": "API Error: closed mid-response"}, "interrupted", CEILING),
        ({"result": {"subtype": "error_during_execution", "is_error": True}}, "service_error", COST),
        ({"result": {"subtype": "error_unheard_of", "is_error": True}}, "service_error", COST),
        ({"usage": [USAGE] * 3, "turns": 2}, "truncated", 2 * COST),
        ({"usage": [USAGE] * 20}, "truncated", 18 * COST),
        ({"usage": [USAGE | {"output_tokens": 1_000_000}]}, "truncated", CEILING),
        ({"usage": [USAGE | {"input_tokens": -1}]}, "unusable_output", CEILING),
        ({"usage": [USAGE | {"cache_creation": "much"}]}, "unusable_output", CEILING),
        ({"usage": [USAGE | {"model": "claude-unheard-of"}]}, "unusable_output", CEILING),
        ({"result": {"modelUsage": {MODEL: {"inputTokens": "many"}}}}, "unusable_output", CEILING),
        ({"prints": "Segmentation fault\n", "silent": True}, "unusable_output", CEILING),
        ({"prints": '{"type":"result","subt', "silent": True}, "unusable_output", CEILING),
        ({"prints": "x" * 9_000_000, "silent": True}, "unusable_output", CEILING),
        ({"prints": "[" * 200_000 + "\n", "silent": True}, "unusable_output", CEILING),
        ({"silent": True, "code": 3, "complains": KEY}, "interrupted", CEILING),
        ({"silent": True, "usage": []}, "interrupted", CEILING),
        ({"dies": True}, "interrupted", CEILING),
        ({"sizes": {"endless.bin": 65_000_000}, "silent": True}, "interrupted", CEILING),
    ],
)
def test_what_is_no_result_has_a_kind_and_a_cost(
    double: ClaudeDouble, workspace: Workspace, behaviour: dict[str, Any], kind: str, cost: Decimal | None
) -> None:
    double.will(**behaviour)

    failure = failure_of(double, workspace, max_turns=behaviour.get("turns", 100))

    assert failure.kind == FailureKind(kind)
    assert owed(failure.receipt) == cost


def test_a_wrong_key_is_not_permitted_and_not_repeated(double: ClaudeDouble, workspace: Workspace) -> None:
    double.will()

    failure = failure_of(double, workspace, key="sk-ant-another-key")

    assert (failure.kind, owed(failure.receipt)) == (FailureKind.NOT_PERMITTED, NOTHING)
    assert "sk-ant-another-key" not in failure.detail


def test_a_command_that_does_not_know_its_arguments_costs_nothing(tmp_path: Path, workspace: Workspace) -> None:
    old = ClaudeDouble(tmp_path / "old", key=KEY)
    old.path.write_text("#!/bin/sh\necho \"error: unknown option '--safe-mode'\" >&2\nexit 1\n")

    failure = failure_of(old, workspace)

    assert (failure.kind, failure.receipt) == (FailureKind.NOT_CONFIGURED, None)
    assert "unknown option '--safe-mode'" in failure.detail


def test_a_file_that_is_no_program_costs_nothing(tmp_path: Path, workspace: Workspace) -> None:
    broken = ClaudeDouble(tmp_path / "broken", key=KEY)
    broken.path.write_text("#!/nowhere/interpreter\n")

    failure = failure_of(broken, workspace)

    assert (failure.kind, failure.receipt) == (FailureKind.NOT_CONFIGURED, None)


@pytest.mark.parametrize("behaviour", [{"silent": True}, {"dies": True}, {}])
def test_whatever_it_has_started_ends_with_it(
    double: ClaudeDouble, workspace: Workspace, behaviour: dict[str, Any]
) -> None:
    double.will(children=2, **behaviour)

    if behaviour:
        assert failure_of(double, workspace).kind is FailureKind.INTERRUPTED
    else:
        call(double, workspace)
    assert len(double.children) == 2
    assert leftovers(double) == []


def test_time_that_is_up_ends_it_and_whatever_it_has_started(double: ClaudeDouble, workspace: Workspace) -> None:
    double.will(children=2, hangs=True, ignores_term=True)

    # However far it has come by then: the failure is looked at together with what is left.
    assert failure_of(double, workspace, seconds=6).kind is FailureKind.TIMED_OUT


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_the_process_that_wants_its_work(
    double: ClaudeDouble, tmp_path: Path, how: signal.Signals
) -> None:
    double.will(children=1, ignores_term=True, hangs=True)
    code = (
        "from pathlib import Path\nfrom tasks.workspaces import Workspace\n"
        "from tests.claude_command import ClaudeDouble\nfrom tests.integration.test_command_calls import call\n"
        f"double = ClaudeDouble(Path({str(double.path.parent)!r}), key={KEY!r})\n"
        f"with Workspace(Path({str(tmp_path / 'run')!r}), 'work', {{}}) as workspace:\n    call(double, workspace)\n"
    )
    wanting = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    wait_for(lambda: double.arrived() or None, seconds=60)
    os.kill(wanting.pid, how)
    wanting.wait(30)

    assert len(double.children) == 1
    wait_for(lambda: leftovers(double) == [] or None)


def test_the_tools_are_those_that_are_allowed(double: ClaudeDouble, workspace: Workspace) -> None:
    double.will(writes={"notes.md": "x"}, says="I may not write.")

    done = call(double, workspace, tools=["read", "search"], max_turns=7)

    (started,) = double.calls
    assert (started.option("--tools"), started.option("--max-turns")) == ("Read,Grep", "7")
    assert started.arguments[started.arguments.index("--allowedTools") + 1 :] == ["Read(./**)"]
    assert done.result is not None
    assert done.result["permission_denials"] == [{"tool_name": "Write"}]
    assert workspace.keep_changes(secret=KEY) == ((), ())


def test_a_result_without_usage_leaves_the_ceiling_standing(double: ClaudeDouble, workspace: Workspace) -> None:
    double.will(result={"modelUsage": {}})

    assert owed(call(double, workspace).receipt()) is CEILING


def test_what_the_calls_do_not_show_is_counted_in_the_dearest_class(double: ClaudeDouble, workspace: Workspace) -> None:
    told = {"inputTokens": 2000, "outputTokens": 164, "cacheReadInputTokens": 50, "cacheCreationInputTokens": 400}
    double.will(result={"modelUsage": {MODEL: told}})

    # 2000 * 2 + 164 * 10 + 50 * 0.1 + 400 * 4 USD a million.
    assert owed(call(double, workspace).receipt()) == Decimal("0.007245")


def test_inference_bound_to_a_region_costs_a_tenth_more(double: ClaudeDouble, workspace: Workspace) -> None:
    double.will(usage=[USAGE | {"inference_geo": "us"}])

    assert owed(call(double, workspace).receipt()) == Decimal("0.0051909")


def test_one_model_is_recorded_so_that_it_can_be_priced_anew(double: ClaudeDouble, workspace: Workspace) -> None:
    from tasks.writer import usage_of

    double.will()

    receipt = call(double, workspace).receipt()

    assert usage_of(receipt.raw_usage) == receipt.usage
    assert receipt.raw_usage["command"]["total_cost_usd"] == 777.77
