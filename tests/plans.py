"""A small entrypoint for tests of the executor: steps that note in a file that they were carried out."""

import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from pydantic import BaseModel

from flows.execution import conduct
from flows.options import ENTRYPOINT_OPTIONS
from maos.actions import StepOutcome
from maos.engines import EngineType
from maos.plans import Plan, PlanStep, RetryPolicy
from maos.requests import RunRequest
from maos.risk import RiskLevel
from maos.runs import RunResult
from tasks.entrypoints import ENTRYPOINTS, Entrypoint
from tasks.services.registry import ServiceCall, internal_service

ENTRYPOINT = "run_workflow"


class NoteParameters(BaseModel):
    """What a test step notes."""

    text: str = "done"


# Tests must not wait for a retry.
AT_ONCE = RetryPolicy(first_delay_seconds=0, jitter=0)


def step(name: str, action: str = "note_low", *, after: tuple[str, ...] = (), **parameters: object) -> PlanStep:
    """Return a step of the test actions; it reads the outcome of each step it comes after."""
    return PlanStep(
        id=name,
        agent="clerk",
        engine=EngineType.INTERNAL_SERVICE,
        action=action,
        parameters=parameters,
        inputs={source: source for source in after},
        retry=AT_ONCE,
    )


class Bench:
    """Runs plans of test steps through the real executor and remembers which steps were carried out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.carried_out = folder / "carried-out.txt"
        self.carried_out.touch()
        self._patch = monkeypatch
        self.before: Callable[[str], object] = lambda _step: None
        for risk in RiskLevel:
            self._register(risk)

    def _register(self, risk: RiskLevel) -> None:
        @internal_service(
            action=f"note_{risk.value}",
            risk=risk,
            title="Note a text.",
            parameters=NoteParameters,
            open_inputs=True,
        )
        def note(call: ServiceCall[NoteParameters]) -> StepOutcome:
            self.before(call.parameters.text)
            with self.carried_out.open("a") as file:
                file.write(call.parameters.text + "\n")
            return StepOutcome(output={"text": call.parameters.text}, summary="Noted.")

    def watch_overlap(self, seconds: float) -> Callable[[], int]:
        """Have each step last so long, or until it meets another; return what says how many were under way at most."""
        under_way = self.carried_out.with_name("under-way")
        under_way.mkdir()
        seen = self.carried_out.with_name("seen")
        seen.touch()

        def overlap(name: str) -> None:
            (under_way / name).touch()
            with seen.open("a") as file:
                file.write(f"{len(list(under_way.iterdir()))}\n")
            until = time.monotonic() + seconds
            while time.monotonic() < until and len(list(under_way.iterdir())) < 2:
                time.sleep(0.02)
            # Whoever would come beside them, were there no limit, has time to.
            time.sleep(0.1)
            with seen.open("a") as file:
                file.write(f"{len(list(under_way.iterdir()))}\n")
            (under_way / name).unlink()

        self.before = overlap
        return lambda: max(map(int, seen.read_text().split()))

    @property
    def effects(self) -> list[str]:
        """What was carried out, in order, repetitions included."""
        return self.carried_out.read_text().split()

    def plan(self, *steps: PlanStep) -> None:
        """Make the entrypoint's plan of these steps."""
        plan = Plan(steps=steps)
        entrypoint = Entrypoint(RunRequest, lambda _request: plan, "run-workflow/run-workflow")
        self._patch.setitem(ENTRYPOINTS, ENTRYPOINT, entrypoint)

    def run(self, **fields: object) -> State[Any]:
        """Run the plan to its end in this process."""
        request = {"org": "demo", "initiator": "author@demo.example", "title": "Bench"} | fields
        return bench_flow(RunRequest.model_validate(request), return_state=True)

    def run_beside(self, **fields: object) -> "Beside":
        """Run the plan in a thread of this process, to answer its gates meanwhile."""
        return Beside(self, fields)


class Beside:
    """A run in a thread."""

    def __init__(self, bench: Bench, fields: dict[str, object]) -> None:
        self.state: State[Any] | None = None
        # With the context of the test: it names the Prefect server.
        self._thread = threading.Thread(target=copy_context().run, args=(self._run, bench, fields), daemon=True)
        self._thread.start()

    def _run(self, bench: Bench, fields: dict[str, object]) -> None:
        self.state = bench.run(**fields)

    def end(self) -> State[Any]:
        """Wait for the end."""
        self._thread.join(180)
        assert self.state is not None, "the run did not end"
        return self.state


@flow(name="bench", **ENTRYPOINT_OPTIONS)
def bench_flow(request: RunRequest) -> RunResult | State[Any]:
    """Run the plan of the bench."""
    return conduct(ENTRYPOINT, request)


def run_again(run_id: UUID) -> State[Any]:
    """Do what a worker does with a flow run that was scheduled again."""
    from prefect.flow_engine import run_flow
    from prefect.states import Scheduled

    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run_id, Scheduled(), force=True)
        flow_run = client.read_flow_run(run_id)
    state = run_flow(bench_flow, flow_run=flow_run, parameters=_parameters(flow_run.parameters), return_type="state")
    assert isinstance(state, State)
    return state


def _parameters(stored: dict[str, Any]) -> dict[str, Any]:
    return {"request": RunRequest.model_validate(stored["request"])}
