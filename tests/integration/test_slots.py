"""No more calls of an engine are under way than its limit in Prefect says, over all runs; nobody deadlocks on it."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from prefect import flow
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from blocks.gemini_image import GeminiImageEngine
from blocks.slots import Slot, give_back, renew_slot, take_slot
from deployments.embedded.limits import ensure_limits
from deployments.embedded.prefect_api import api_client
from maos.engines import EngineType
from maos.errors import BadInput, StackError
from maos.plans import PlanStep
from maos.settings import load_settings
from maos.statuses import RunStatus
from tasks.ledger import find_run
from tasks.runs import end_run
from tasks.slots import engine_slot
from tests.gates import REVIEWER, answer_form, only_run_id, pending, rows, wait_for
from tests.gemini_server import GeminiServer
from tests.plans import AT_ONCE, Bench, step
from tests.runs import run_of

KEY = "gateway.canary+9b1c"
IMAGES = EngineType.GEMINI_IMAGE.tag
SERVICES = EngineType.INTERNAL_SERVICE.tag


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


@pytest.fixture
def api(prefect_api: str) -> Iterator[httpx.Client]:
    """The Prefect API, without limits before and after."""
    with api_client(prefect_api, PREFECT_API_AUTH_STRING.value()) as client:
        _remove_limits(client)
        yield client
        _remove_limits(client)


def _remove_limits(client: httpx.Client) -> None:
    for engine in EngineType:
        client.delete(f"/v2/concurrency_limits/{engine.tag}")


def _limits(client: httpx.Client) -> dict[str, int]:
    found = {engine.tag: client.get(f"/v2/concurrency_limits/{engine.tag}") for engine in EngineType}
    return {name: answer.json()["limit"] for name, answer in found.items() if answer.is_success}


def _limit(client: httpx.Client, name: str, limit: int) -> None:
    client.post("/v2/concurrency_limits/", json={"name": name, "limit": limit}).raise_for_status()


def _active(client: httpx.Client, name: str) -> int:
    active: int = client.get(f"/v2/concurrency_limits/{name}").json()["active_slots"]
    return active


def _is_under_way(client: httpx.Client, step_id: str) -> bool:
    asked = {"name": {"any_": [step_id]}, "state": {"type": {"any_": ["RUNNING"]}}}
    ours = {"id": {"any_": [str(only_run_id())]}}
    found = client.post("/task_runs/filter", json={"task_runs": asked, "flow_runs": ours}).raise_for_status()
    return bool(found.json())


def _held(name: str) -> Slot:
    slot = take_slot(name, task_run_id=None)
    assert slot is not None
    return slot


def _image() -> PlanStep:
    drawn = {"id": "cover", "agent": "painter", "engine": "gemini_image", "action": "create_image"}
    return PlanStep.model_validate({**drawn, "parameters": {"prompt": "A lighthouse"}, "retry": AT_ONCE})


def test_a_slot_is_taken_by_one_and_comes_back(api: httpx.Client) -> None:
    _limit(api, IMAGES, 1)

    slot = _held(IMAGES)
    assert take_slot(IMAGES, task_run_id=None) is None
    assert _active(api, IMAGES) == 1
    renew_slot(slot)
    give_back(slot)
    assert _active(api, IMAGES) == 0
    give_back(_held(IMAGES))


def test_a_limit_that_an_operator_sets_to_nothing_lets_nobody_in(api: httpx.Client) -> None:
    _limit(api, IMAGES, 1)
    api.patch(f"/v2/concurrency_limits/{IMAGES}", json={"limit": 0}).raise_for_status()

    assert take_slot(IMAGES, task_run_id=None) is None


@pytest.mark.usefixtures("api")
def test_without_a_limit_everybody_gets_in() -> None:
    assert _held(IMAGES) == Slot(None)


def test_no_more_steps_call_an_engine_at_once_than_its_limit_says(
    bench: Bench, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAOS_LIMIT_INTERNAL_SERVICE", "2")
    _limit(api, SERVICES, 2)
    most_at_once = bench.watch_overlap(0.3)
    bench.plan(*(step(f"s{number}", text=f"s{number}") for number in range(5)))

    assert bench.run(parallelism=5).is_completed()
    assert most_at_once() <= 2
    assert len(bench.effects) == 5
    assert _active(api, SERVICES) == 0


def test_who_waits_for_a_slot_has_reserved_nothing_and_goes_on_when_one_is_free(
    bench: Bench, server: GeminiServer, api: httpx.Client
) -> None:
    _limit(api, IMAGES, 1)
    slot = _held(IMAGES)
    server.will_draw()
    bench.plan(_image(), step("beside", text="beside"))
    beside = bench.run_beside(cost_cap_usd="1")
    wait_for(lambda: bench.effects == ["beside"])
    wait_for(lambda: _is_under_way(api, "cover"))

    assert rows("SELECT reserved FROM budget_standings") == [(0,)]
    assert rows("SELECT 1 FROM agent_invocations WHERE step_id = 'cover'") == []
    assert server.requests == []
    give_back(slot)
    assert beside.end().is_completed()
    assert _active(api, IMAGES) == 0


def test_a_run_that_is_cancelled_waits_for_no_slot_any_more(
    bench: Bench, server: GeminiServer, api: httpx.Client
) -> None:
    _limit(api, IMAGES, 1)
    _held(IMAGES)
    bench.plan(_image(), step("beside", text="beside"))
    beside = bench.run_beside()
    wait_for(lambda: bench.effects == ["beside"])
    run = find_run(only_run_id())
    assert run is not None

    end_run(run, RunStatus.CANCELLED, "seen enough")
    beside.end()

    assert server.requests == []
    assert rows("SELECT status FROM orchestrator_runs") == [("cancelled",)]


def test_a_failed_call_gives_its_slot_back(bench: Bench, server: GeminiServer, api: httpx.Client) -> None:
    _limit(api, IMAGES, 1)
    server.will_fail(400)
    bench.plan(_image())

    assert bench.run().is_failed()
    assert _active(api, IMAGES) == 0


def test_a_run_that_waits_for_a_person_holds_no_slot(bench: Bench, server: GeminiServer, api: httpx.Client) -> None:
    _limit(api, IMAGES, 1)
    server.will_draw()
    asked = step("ask", "note_high", text="ask").model_copy(update={"after": ("cover",)})
    bench.plan(_image(), asked)
    beside = bench.run_beside()
    wait_for(pending)

    assert _active(api, IMAGES) == 0
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)
    assert beside.end().is_completed()


@pytest.mark.usefixtures("bench")
def test_a_rehearsal_takes_no_slot(bench: Bench, api: httpx.Client) -> None:
    _limit(api, IMAGES, 1)
    slot = _held(IMAGES)
    bench.plan(_image())

    assert bench.run().is_completed()
    give_back(slot)


@pytest.mark.usefixtures("bench")
def test_a_server_that_is_away_holds_nobody_up() -> None:
    entered = []

    @flow
    def alone() -> None:
        with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
            with pytest.raises(StackError):
                take_slot(IMAGES, task_run_id=None)
            with engine_slot(run_of(step("a")), EngineType.GEMINI_IMAGE):
                entered.append(True)

    alone()
    assert entered == [True]


def test_limits_follow_the_settings_and_keep_what_an_operator_set(
    api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for engine in EngineType:
        monkeypatch.delenv(f"MAOS_LIMIT_{engine.name}", raising=False)
    defaults = {EngineType.CLAUDE_CLI.tag: 8, EngineType.DEEP_AGENT.tag: 4, IMAGES: 4}
    ensure_limits(api, load_settings())
    assert _limits(api) == defaults

    api.patch(f"/v2/concurrency_limits/{IMAGES}", json={"limit": 11}).raise_for_status()
    monkeypatch.setenv("MAOS_LIMIT_CLAUDE_CLI", "3")
    monkeypatch.setenv("MAOS_LIMIT_DEEP_AGENT", "0")
    monkeypatch.setenv("MAOS_LIMIT_INTERNAL_SERVICE", "20")
    ensure_limits(api, load_settings())
    assert _limits(api) == {EngineType.CLAUDE_CLI.tag: 3, IMAGES: 11, SERVICES: 20}


def test_a_limit_below_nothing_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAOS_LIMIT_CLAUDE_CLI", "-1")

    with pytest.raises(BadInput, match="MAOS_LIMIT_CLAUDE_CLI"):
        load_settings()
