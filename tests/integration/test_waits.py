"""A step that failed for now is let alone as long as its engine asks, whatever happens to the run meanwhile."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from blocks.gemini_image import GeminiImageEngine
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.plans import PlanStep, RetryPolicy
from maos.statuses import RunStatus
from tasks.ledger import find_run
from tasks.runs import end_run
from tests.gates import only_run_id, rows, wait_for
from tests.gemini_server import GeminiServer
from tests.plans import AT_ONCE, Bench, run_again, step

KEY = "gateway.canary+9b1c"
# Prefect's own delay before a retry is none in these tests.
WAIT = 1.0


@pytest.fixture
def bench(prefect_api: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:  # noqa: ARG001
    GeminiImageEngine(timeout_seconds=10).save("default", overwrite=True)
    return Bench(monkeypatch, tmp_path)


@pytest.fixture
def server(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[GeminiServer]:  # noqa: ARG001 - comes after it
    with GeminiServer(key=KEY) as running:
        monkeypatch.setenv("MAOS_GEMINI_API_KEY", KEY)
        monkeypatch.setenv("MAOS_GEMINI_BASE_URL", running.url)
        yield running


def _image(**fields: Any) -> PlanStep:
    drawn = {"id": "cover", "agent": "painter", "engine": "gemini_image", "action": "create_image"}
    return PlanStep.model_validate({**drawn, "parameters": {"prompt": "A lighthouse"}, "retry": AT_ONCE, **fields})


def _fail_once(bench: Bench, wait: float) -> Path:
    """Let step `a` fail once, asking for a wait; return the file of the times at which it was tried."""
    tried = bench.carried_out.with_name("tried")
    tried.touch()

    def before(_name: str) -> None:
        with tried.open("a") as file:
            file.write(f"{time.monotonic()}\n")
        if len(tried.read_text().split()) == 1:
            raise EngineFailure(FailureKind.RATE_LIMITED, "as told", retry_after=wait)

    bench.before = before
    return tried


def _between(tried: Path) -> float:
    first, second = map(float, tried.read_text().split())
    return second - first


def test_the_next_request_comes_no_earlier_than_the_server_asked(bench: Bench, server: GeminiServer) -> None:
    server.will_fail(429, headers={"retry-after": f"{WAIT:g}"})
    server.will_draw()
    bench.plan(_image())

    assert bench.run().is_completed()
    first, second = server.requests
    assert second.at - first.at >= WAIT
    assert rows("SELECT status, retry_at IS NOT NULL FROM agent_invocations ORDER BY attempt") == [
        ("failed", True),
        ("completed", False),
    ]


def test_a_wait_does_not_count_against_the_time_of_the_step(bench: Bench, server: GeminiServer) -> None:
    server.will_fail(429, headers={"retry-after": "6"})
    server.will_draw()
    bench.plan(_image(timeout_seconds=5))

    assert bench.run().is_completed()


def test_a_longer_delay_of_the_plan_is_kept(bench: Bench) -> None:
    tried = _fail_once(bench, wait=0.01)
    patient = RetryPolicy(first_delay_seconds=WAIT, jitter=0)
    bench.plan(step("a", text="a").model_copy(update={"retry": patient}))

    assert bench.run().is_completed()
    assert _between(tried) >= WAIT


def test_whoever_takes_the_run_up_waits_for_the_rest(bench: Bench) -> None:
    tried = _fail_once(bench, wait=WAIT + 1)
    bench.plan(step("a", text="a").model_copy(update={"retry": RetryPolicy(attempts=1)}))
    assert bench.run().is_failed()

    assert run_again(only_run_id()).is_completed()
    assert _between(tried) >= WAIT + 1


def test_a_run_that_is_cancelled_waits_no_longer(bench: Bench) -> None:
    tried = _fail_once(bench, wait=60)
    bench.plan(step("a", text="a"))
    beside = bench.run_beside()
    wait_for(lambda: rows("SELECT 1 FROM agent_invocations WHERE retry_at IS NOT NULL"))
    run = find_run(only_run_id())
    assert run is not None

    begun = time.monotonic()
    end_run(run, RunStatus.CANCELLED, "seen enough")
    beside.end()

    assert time.monotonic() - begun < 30
    assert len(tried.read_text().split()) == 1
    assert rows("SELECT status FROM orchestrator_runs") == [("cancelled",)]


def test_nothing_is_reserved_while_a_step_waits(bench: Bench, server: GeminiServer) -> None:
    server.will_fail(429, headers={"retry-after": "3"})
    server.will_draw()
    bench.plan(_image())
    beside = bench.run_beside(cost_cap_usd="1")

    wait_for(lambda: rows("SELECT 1 FROM agent_invocations WHERE retry_at IS NOT NULL"))
    assert rows("SELECT reserved FROM budget_standings") == [(0,)]
    assert beside.end().is_completed()


def test_a_failure_that_is_final_asks_nobody_to_wait(bench: Bench) -> None:
    def refuse(_name: str) -> None:
        raise EngineFailure(FailureKind.BAD_REQUEST, "as told", retry_after=30)

    bench.before = refuse
    bench.plan(step("a", text="a"))

    assert bench.run().is_failed()
    assert rows("SELECT retry_at FROM agent_invocations") == [(None,)]
