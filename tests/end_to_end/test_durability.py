"""Whatever dies in the middle, the run goes on by itself; and an operator holds, cancels and retries runs."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.conftest import Maos, wait_for
from tests.reliability import record

AUTHOR, REVIEWER = "author@demo.example", "reviewer@demo.example"
_ROWS = 750_000


@pytest.fixture(scope="module")
def long_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data set that takes long enough to be interrupted in the middle."""
    file = tmp_path_factory.mktemp("long") / "orders.csv"
    # With a byte order mark: its lines are looked through one by one.
    with file.open("w", encoding="utf-8-sig") as target:
        target.write("region,day,revenue\n")
        for number in range(_ROWS):
            target.write(f"R{number % 7},2026-{number % 12 + 1:02d}-{number % 28 + 1:02d},{number % 1000}.5\n")
    yield file
    file.unlink()


def _start(maos: Maos, data: Path) -> str:
    """Start a report and return its id once its first step is under way."""
    run_id = maos.run(
        "run",
        "generate_report",
        *("--org", "demo", "--param", f"initiator={AUTHOR}", "--param", f"dataset={data}", "--param", "title=Long"),
    ).split()[0]
    wait_for(lambda: maos.rows(f"SELECT 1 FROM agent_invocations WHERE run_id = '{run_id}' AND status = 'running'"))
    return run_id


def _paused(maos: Maos, run_id: str, seconds: float = 60) -> dict[str, Any]:
    found = maos.shown(run_id, "status <> 'executing'", seconds)
    assert found["status"] == "paused", found["error_summary"]
    return found


def _kill(maos: Maos, *parts: str) -> None:
    pids = {part["part"]: part["pid"] for part in json.loads(maos.run("status", "--json"))}
    for part in parts:
        os.kill(pids[part], signal.SIGKILL)


def _kill_process_of(maos: Maos, run_id: str) -> None:
    for process in wait_for(lambda: maos.flow_processes(run_id)):
        process.kill()


def _check_once(maos: Maos, run_id: str) -> None:
    query = (
        f"SELECT count(*) FROM agent_invocations WHERE run_id = '{run_id}' AND status = 'completed' GROUP BY step_id"
    )
    assert maos.rows(query) == [(1,)] * 4
    assert maos.rows(f"SELECT 1 FROM agent_invocations WHERE run_id = '{run_id}' AND status = 'running'") == []


def test_a_run_whose_process_is_killed_goes_on_by_itself(maos: Maos, long_data: Path) -> None:
    run_id = _start(maos, long_data)
    began = time.monotonic()

    _kill_process_of(maos, run_id)

    assert _paused(maos, run_id)["recoveries"] == 1
    record("killed process", seconds_to_the_next_gate=round(time.monotonic() - began))
    _check_once(maos, run_id)
    assert "run.recovered" in [row["event"] for row in maos.json("audit", "list", "--run", run_id)]


def test_a_run_whose_worker_is_killed_with_it_goes_on_within_a_minute(maos: Maos, long_data: Path) -> None:
    run_id = _start(maos, long_data)
    began = time.monotonic()

    _kill(maos, "worker")
    _kill_process_of(maos, run_id)
    wait_for(lambda: maos.rows(f"SELECT 1 FROM orchestrator_runs WHERE id = '{run_id}' AND recoveries = 1"), 60)

    _paused(maos, run_id)
    record("killed worker and process", seconds_to_the_next_gate=round(time.monotonic() - began))
    _check_once(maos, run_id)


@pytest.mark.parametrize("part", ["postgres", "prefect"])
def test_a_run_outlasts_a_part_of_the_stack_that_is_killed(maos: Maos, long_data: Path, part: str) -> None:
    run_id = _start(maos, long_data)
    began = time.monotonic()

    _kill(maos, part)
    wait_for(lambda: _is_healthy(maos))

    _paused(maos, run_id, 90)
    record(f"killed {part}", seconds_to_the_next_gate=round(time.monotonic() - began))
    _check_once(maos, run_id)


def _is_healthy(maos: Maos) -> bool:
    return all(part["healthy"] for part in json.loads(maos.run("status", "--json", expect=None)))


def test_a_cancelled_run_ends_at_once_and_leaves_nothing_open(maos: Maos, long_data: Path) -> None:
    run_id = _start(maos, long_data)

    maos.run("runs", "cancel", run_id, "--as", AUTHOR, "--note", "the wrong file")

    shown = maos.json("runs", "show", run_id)
    assert (shown["status"], shown["error_summary"]) == ("cancelled", f"cancelled by {AUTHOR}: the wrong file")
    assert {row["status"] for row in shown["invocations"]} <= {"completed", "failed"}
    wait_for(lambda: not maos.flow_processes(run_id), 30)
    wait_for(lambda: maos.prefect("GET", f"/flow_runs/{run_id}")["state_type"] == "CANCELLED", 30)
    assert maos.json("runs", "show", run_id)["status"] == "cancelled"


def test_a_run_cancelled_in_prefect_ends_in_the_ledger_too(maos: Maos, long_data: Path) -> None:
    run_id = _start(maos, long_data)

    # What the Cancel button of the Prefect UI sends.
    maos.prefect("POST", f"/flow_runs/{run_id}/set_state", {"state": {"type": "CANCELLING"}, "force": False})

    shown = maos.shown(run_id, "completed_at IS NOT NULL")
    assert (shown["status"], shown["error_summary"]) == ("cancelled", "an operator cancelled the run")
    assert "running" not in {row["status"] for row in shown["invocations"]}
    wait_for(lambda: not maos.flow_processes(run_id), 30)


def test_a_held_run_waits_without_a_process_and_goes_on_when_released(maos: Maos, long_data: Path) -> None:
    run_id = _start(maos, long_data)

    maos.run("runs", "hold", run_id, "--as", AUTHOR)
    held = _paused(maos, run_id)
    wait_for(lambda: not maos.flow_processes(run_id))
    steps_then = [row["step_id"] for row in held["invocations"]]
    said = maos.run("runs", "release", run_id, "--as", AUTHOR)

    assert held["held_by"] == AUTHOR
    assert "draw_charts" not in steps_then
    assert "it goes on" in said
    wait_for(lambda: maos.rows(f"SELECT 1 FROM agent_pending_actions WHERE run_id = '{run_id}'"))
    assert maos.json("runs", "show", run_id)["approvals"]
    _check_once(maos, run_id)


def test_a_retry_says_what_it_reuses_and_does_the_rest_again(maos: Maos) -> None:
    parent = maos.start_report("--param", "title=Retried")
    (approval,) = maos.json("runs", "show", parent)["approvals"]
    maos.run("approvals", "reject", approval["id"], "--as", REVIEWER, "--note", "draw it again")
    maos.shown(parent, "status = 'cancelled'")

    said = maos.json("runs", "retry", parent, "--as", AUTHOR, "--from", "draw_charts")

    assert said["reuses"] == ["profile_data", "aggregate_metrics", "write_narrative"]
    assert said["redoes"] == ["draw_charts", "publish_report"]
    shown = maos.shown(said["id"], "status = 'paused'")
    assert shown["parent_run_id"] == parent
    reused = {row["step_id"] for row in shown["invocations"] if row["reused_from"]}
    assert reused == set(said["reuses"])
    (again,) = shown["approvals"]
    maos.run("approvals", "approve", again["id"], "--as", REVIEWER)
    maos.shown(said["id"], "status = 'completed'")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("hold",), "a run that is under way and not held; this one is cancelled"),
        (("release",), "a run that is held; this one is cancelled"),
        (("cancel",), "a run without an end; this one is cancelled"),
        (("retry", "--from", "nowhere"), "profile_data, aggregate_metrics"),
    ],
)
def test_what_cannot_be_done_to_an_ended_run_is_bad_input(maos: Maos, arguments: tuple[str, ...], named: str) -> None:
    ((run_id,),) = maos.rows("SELECT id::text FROM orchestrator_runs WHERE status = 'cancelled' LIMIT 1")

    assert named in maos.run("runs", arguments[0], run_id, "--as", AUTHOR, *arguments[1:], expect=2)


def test_a_stranger_may_neither_hold_nor_cancel_nor_retry(maos: Maos) -> None:
    ((run_id,),) = maos.rows("SELECT id::text FROM orchestrator_runs WHERE status = 'cancelled' LIMIT 1")

    for verb in ("hold", "cancel", "retry"):
        assert "not accepted" in maos.run("runs", verb, run_id, "--as", "stranger@else.example", expect=2)


def test_scheduled_housekeeping_really_runs(maos: Maos) -> None:
    def done() -> list[Any]:
        asked = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}, "name": {"any_": ["reconcile"]}}}
        found: list[Any] = maos.prefect("POST", "/flow_runs/filter", asked)
        return found

    assert wait_for(done, 90)
