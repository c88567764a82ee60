"""Work in workspaces, through the whole executor: a strict double of the command line as a real process."""

from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest
from prefect.client.schemas.objects import State

from blocks.claude import ClaudeEngine
from blocks.claude_command import ClaudeCommand
from maos.plans import Plan, PlanStep
from maos.pricing import ceiling_of
from maos.settings import load_settings
from maos.workspace_writing import CONTEXT_TOKENS, OUTPUT_TOKENS
from sql.tables import utc_now
from tasks.ceilings import planned_ceilings
from tests.claude_command import USAGE, ClaudeDouble
from tests.gates import REVIEWER, answer_form, only_run_id, pending, refuse_top_up, rows, wait_for
from tests.plans import AT_ONCE, Bench, step

KEY = "gateway.canary+4f7e"
COST = Decimal("0.004719")
MODEL = "claude-sonnet-5-5"


@pytest.fixture
def bench(prefect_api: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:  # noqa: ARG001
    """A run's bench, with the writer in Prefect and no key anywhere."""
    ClaudeEngine().save("default", overwrite=True)
    ClaudeCommand(executable=str(tmp_path / "nowhere")).save("default", overwrite=True)
    rows("UPDATE organizations SET autonomy = 'autonomous' RETURNING id")
    return Bench(monkeypatch, tmp_path)


@pytest.fixture
def command(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ClaudeDouble:  # noqa: ARG001
    """The command line, with a key in the settings and secrets in the environment that are not its own."""
    double = ClaudeDouble(tmp_path / "bin", key=KEY)
    ClaudeCommand(executable=str(double.path)).save("default", overwrite=True)
    monkeypatch.setenv("MAOS_ANTHROPIC_API_KEY", KEY)
    monkeypatch.setenv("MAOS_GEMINI_API_KEY", "another.secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another.secret")
    return double


def work(name: str = "work", **parameters: object) -> PlanStep:
    """Return a step that works in a workspace on what the step `place` has noted."""
    return PlanStep.model_validate(
        {
            "id": name,
            "agent": {"name": "editor", "persona": "Write plainly."},
            "engine": "claude_cli",
            "action": "work_in_workspace",
            "parameters": {"instructions": "Describe {{ place.text }}."} | parameters,
            "inputs": {"place": "place"},
            "retry": AT_ONCE,
        }
    )


def run(bench: Bench, *steps: PlanStep, **fields: object) -> State[Any]:
    bench.plan(step("place", text="dusk"), *(steps or (work(),)))
    return bench.run(autonomy="autonomous", **fields)


def attempts() -> list[tuple[Any, ...]]:
    return rows(
        "SELECT attempt, status, error_kind, cost_usd FROM agent_invocations WHERE step_id = 'work' ORDER BY attempt"
    )


def output(name: str = "work") -> dict[str, Any]:
    ((found,),) = rows(f"SELECT output FROM agent_invocations WHERE step_id = '{name}' AND status = 'completed'")
    assert isinstance(found, dict)
    return found


def ceiling(most: str = "1") -> Decimal:
    call = ceiling_of(sent_bytes=CONTEXT_TOKENS, max_output_tokens=OUTPUT_TOKENS, model=MODEL, at=utc_now())
    return Decimal(most) + 2 * call


def run_folder() -> Path:
    return load_settings().artifact_store / "demo" / str(only_run_id())


def leftovers(command: ClaudeDouble) -> list[int]:
    """Return the processes that are left of the command and of all it has started."""
    started = [*command.children, *(call.pid for call in command.calls)]
    return [pid for pid in started if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


def test_changed_files_become_files_of_the_run_and_are_paid_for_by_our_prices(
    bench: Bench, command: ClaudeDouble
) -> None:
    command.will(writes={"notes.md": "At dusk.", "old/kept.txt": "new"}, deletes=["gone.txt"], says="Two notes.")
    given = {"old/kept.txt": "old", "gone.txt": "soon", "same.txt": "same"}

    assert run(bench, work(files=given, max_turns=7, max_cost_usd="0.75")).is_completed(), command.complaints
    (call,) = command.calls
    assert call.stdin == "Describe dusk."
    assert call.files == given
    assert call.briefing.startswith("Write plainly.")
    assert {name: call.option(name) for name in ("--max-turns", "--max-budget-usd", "--tools")} == {
        "--max-turns": "7",
        "--max-budget-usd": "0.75",
        "--tools": "Read,Edit,Write",
    }
    done = output()
    assert done.pop("files") == rows("SELECT artifacts FROM agent_invocations WHERE step_id = 'work'")[0][0]
    assert done == {"summary": "Two notes.", "deleted": ["gone.txt"], "turns": 1, "rehearsed": False}
    assert (run_folder() / "workspaces/work/notes.md").read_text() == "At dusk."
    assert (run_folder() / "workspaces/work/old/kept.txt").read_text() == "new"
    assert not (run_folder() / "workspaces/work/same.txt").exists()
    assert attempts() == [(1, "completed", None, COST)]
    assert rows("SELECT kind FROM usage_entries ORDER BY recorded_at") == [("reserve",), ("settle",)]
    assert rows("SELECT token_cost_estimate FROM agent_invocations WHERE step_id = 'work'") == [(ceiling("0.75"),)]
    assert rows("SELECT model, raw_usage -> 'command' -> 'total_cost_usd' FROM invocation_vendor_details") == [
        (MODEL, 777.77)
    ]
    assert not list((run_folder() / ".work").iterdir())


def test_the_command_knows_the_key_and_nothing_else_of_ours(
    bench: Bench, command: ClaudeDouble, capfd: pytest.CaptureFixture[str]
) -> None:
    command.will(says=f"The key is {KEY}.", complains=KEY)

    assert run(bench).is_completed(), command.complaints
    (call,) = command.calls
    assert call.environment["ANTHROPIC_API_KEY"] == KEY
    assert KEY not in str(call.arguments) + call.stdin + call.briefing
    assert "another.secret" not in str(call.environment)
    assert not [name for name in call.environment if name.startswith(("MAOS_", "PREFECT_", "AWS_"))]
    everything = rows("SELECT * FROM agent_invocations") + rows("SELECT * FROM invocation_vendor_details")
    assert KEY not in str(everything)
    assert "canary-of-the-payload" not in str(everything)
    told = "".join(capfd.readouterr())
    assert KEY not in told
    assert "canary-of-the-payload" not in told


def test_a_workspace_takes_up_the_files_of_an_earlier_one(bench: Bench, command: ClaudeDouble) -> None:
    command.will(writes={"src/a.md": "first"})
    command.will(writes={"src/a.md": "second"})
    again = work("again", instructions="Go on.").model_copy(update={"inputs": {"draft": "work.files"}})

    assert run(bench, work(), again).is_completed(), command.complaints
    assert command.calls[1].files == {"src/a.md": "first"}
    assert [file["name"] for file in output("again")["files"]] == ["workspaces/again/src/a.md"]
    assert (run_folder() / "workspaces/work/src/a.md").read_text() == "first"


@pytest.mark.parametrize(
    ("behaviour", "kind", "cost"),
    [
        ({"usage": [], "result": {"is_error": True, "api_error_status": 529}}, "overloaded", Decimal(0)),
        ({"dies": True}, "interrupted", None),
    ],
)
def test_a_failure_that_may_pass_is_tried_again_in_a_workspace_made_anew(
    bench: Bench, command: ClaudeDouble, behaviour: dict[str, Any], kind: str, cost: Decimal | None
) -> None:
    command.will(writes={"half.txt": "half", "given.txt": "changed"}, **behaviour)
    command.will(writes={"whole.txt": "whole"})

    assert run(bench, work(files={"given.txt": "x"})).is_completed(), command.complaints
    assert attempts() == [(1, "failed", kind, ceiling() if cost is None else cost), (2, "completed", None, COST)]
    assert command.calls[1].files == {"given.txt": "x"}
    assert [file["name"] for file in output()["files"]] == ["workspaces/work/whole.txt"]


@pytest.mark.parametrize(
    ("behaviour", "kind", "cost"),
    [
        ({"usage": [USAGE] * 3}, "truncated", 2 * COST),
        ({"usage": [USAGE | {"output_tokens": 200_000}]}, "truncated", None),
        ({"links": {"link.txt": "/etc/passwd"}, "complains": KEY}, "unusable_output", COST),
    ],
)
def test_a_failure_that_will_not_pass_is_not_tried_again_and_owed(
    bench: Bench, command: ClaudeDouble, behaviour: dict[str, Any], kind: str, cost: Decimal | None
) -> None:
    command.will(**behaviour)

    assert run(bench, work(max_turns=2, max_cost_usd="1.5")).is_failed()
    assert command.complaints == []
    assert attempts() == [(1, "failed", kind, ceiling("1.5") if cost is None else cost)]
    assert not (run_folder() / "workspaces").exists()
    assert not list((run_folder() / ".work").iterdir())
    everything = rows("SELECT * FROM agent_invocations") + rows("SELECT * FROM invocation_vendor_details")
    assert KEY not in str(everything)
    ((summary,),) = rows("SELECT error_summary FROM orchestrator_runs")
    assert "claude" not in summary.lower()


def test_every_model_that_worked_is_paid_for_by_its_own_price(bench: Bench, command: ClaudeDouble) -> None:
    command.will(usage=[USAGE, {"model": "claude-haiku-5-5", "input_tokens": 1000, "output_tokens": 10}])

    assert run(bench, work(max_cost_usd="2")).is_completed()
    assert attempts() == [(1, "completed", None, COST + Decimal("0.000105"))]
    assert rows("SELECT input_tokens FROM agent_invocations WHERE step_id = 'work'") == [(1812,)]


def test_time_that_is_up_ends_the_command_and_all_it_has_started(bench: Bench, command: ClaudeDouble) -> None:
    command.will(children=2, ignores_term=True, hangs=True)
    slow = work().model_copy(update={"timeout_seconds": 6, "retry": AT_ONCE.model_copy(update={"attempts": 1})})

    assert run(bench, slow).is_failed()
    assert attempts() == [(1, "failed", "timed_out", ceiling())]
    assert leftovers(command) == []
    assert not list((run_folder() / ".work").iterdir())


def test_a_command_that_is_not_there_is_said_to_be_missing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAOS_ANTHROPIC_API_KEY", KEY)

    assert run(bench).is_failed()
    assert attempts() == [(1, "failed", "not_configured", Decimal(0))]
    assert rows("SELECT count(*) FROM usage_entries") == [(0,)]


def test_a_cap_below_the_ceiling_stops_before_the_command(bench: Bench, command: ClaudeDouble) -> None:
    bench.plan(step("place", text="dusk"), work())
    beside = bench.run_beside(autonomy="autonomous", cost_cap_usd="1")
    refuse_top_up()

    assert beside.end().is_failed()
    assert command.calls == []
    assert [attempt[1:3] for attempt in attempts()] == [("failed", "budget")]


def test_without_a_key_the_work_is_rehearsed_and_says_so(bench: Bench) -> None:
    assert run(bench, work(files={"b.txt": "x"})).is_completed()
    assert attempts() == [(1, "completed", None, Decimal(0))]
    done = output()
    assert done["rehearsed"] is True
    (file,) = done["files"]
    note = (run_folder() / file["name"]).read_text()
    assert note.startswith("# Rehearsal")
    assert "- b.txt" in note


def test_a_reviewer_is_told_what_all_tries_can_cost(bench: Bench, command: ClaudeDouble) -> None:
    bench.plan(step("place", text="dusk"), work(max_cost_usd="0.5"))
    beside = bench.run_beside(autonomy="semi_autonomous")
    asked = wait_for(pending)
    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="seen enough")
    beside.end()

    assert asked[0].cost_ceiling_usd == 3 * ceiling("0.5")
    assert command.calls == []


def test_a_plan_says_what_its_workspaces_can_cost(bench: Bench, org_id: UUID) -> None:  # noqa: ARG001 - the block
    made = Plan(steps=(step("place"), work(max_cost_usd="2")))

    assert planned_ceilings(made, org_id=org_id, rehearsal=False) == {"work": 3 * ceiling("2")}
    assert planned_ceilings(made, org_id=org_id, rehearsal=True) == {}
