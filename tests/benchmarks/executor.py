"""What the executor adds to the work of steps: `make bench-executor` prints it; nothing is asserted but the ends."""

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from uuid import UUID

import pytest

from maos.plans import PlanStep
from tests.plans import Bench, step

_ROUNDS = 3


@pytest.fixture
def bench(prefect_api: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:  # noqa: ARG001
    return Bench(monkeypatch, tmp_path)


def _layers(depth: int, width: int) -> list[PlanStep]:
    """Return steps in layers, each step after its like in the layer before."""
    return [
        step(f"s{layer}_{place}", text="x", after=(f"s{layer - 1}_{place}",) if layer else ())
        for layer in range(depth)
        for place in range(width)
    ]


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("depth", "width"), [(1, 1), (30, 1), (10, 10), (1, 100)])
def test_what_the_executor_adds_to_a_plan(bench: Bench, depth: int, width: int) -> None:
    steps = _layers(depth, width)
    bench.plan(*steps)

    def run() -> None:
        assert bench.run().is_completed()

    run()
    took = [_seconds(run) for _ in range(_ROUNDS)]
    each = 1000 * median(took) / len(steps)
    print(
        f"\n{len(steps)} steps, {width} side by side: median {median(took):.2f} s "
        f"({min(took):.2f} to {max(took):.2f}), {each:.0f} ms a step"
    )
