"""A run that is killed at any boundary goes on from its ledger, and does to the world what it does once."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from maos.autonomy import AutonomyLevel
from maos.settings import load_settings
from sql.audit import verify_chain
from sql.session import org_session
from tests.chaos import Chaos, Trial, chaos
from tests.chaos_plans import published
from tests.gates import rows
from tests.reliability import record

# As many in CI; `make chaos` asks for more.
KILLS = int(os.environ.get("CHAOS_KILLS", "24"))

RACES = 5


@pytest.fixture
def harness(prefect_api: str, org_id: UUID, tmp_path: Path) -> Iterator[Chaos]:  # noqa: ARG001
    rows("UPDATE organizations SET autonomy = 'autonomous' RETURNING id")
    with chaos(tmp_path) as made:
        yield made


@pytest.mark.timeout(3600)
def test_every_effect_happens_once_wherever_the_process_is_killed(harness: Chaos, org_id: UUID) -> None:
    whole = [harness.run(autonomy=autonomy) for autonomy in (None, AutonomyLevel.SEMI_AUTONOMOUS)]
    for trial in whole:
        _check(harness, trial, org_id)
    trials: list[Trial] = []
    for boundaries, autonomy in _deaths(whole[0].passed, whole[1].passed):
        trial = harness.run(die_at=boundaries, autonomy=autonomy)
        _check(harness, trial, org_id)
        trials.append(trial)
        print(f"{len(trials)}: killed at {boundaries}, {trial.processes} processes, doubts: {trial.doubts}")
        if sum(trial.kills for trial in trials) >= KILLS:
            break
    record(
        "chaos",
        runs=len(trials),
        kills=sum(trial.kills for trial in trials),
        boundaries=whole[0].passed,
        doubts=sum(len(trial.doubts) for trial in trials),
        **_counted(harness, trials),
    )


def _counted(harness: Chaos, trials: list[Trial]) -> dict[str, int]:
    arrived = [harness.arrived(step, trial) for trial in trials for step in ("mail", "hook", "keyed")]
    return {
        "effects_expected": len(arrived),
        "effects_that_arrived_once": arrived.count(1),
        "effects_lost": arrived.count(0),
        "effects_repeated": sum(1 for times in arrived if times > 1),
    }


@pytest.mark.timeout(600)
def test_of_two_workers_that_race_for_a_run_one_executes_it(harness: Chaos, org_id: UUID) -> None:
    trials = [harness.race() for _ in range(RACES)]

    for trial in trials:
        _check(harness, trial, org_id)
        # Both ended in order: the one that came second reported nothing, and did nothing.
        assert trial.processes == 2
        assert rows(f"SELECT attempt, recoveries FROM orchestrator_runs WHERE id = '{trial.id}'") == [(1, 0)]
    record("races", runs=RACES, **_counted(harness, trials))


def _deaths(whole: int, gated: int) -> Iterator[tuple[tuple[int, ...], AutonomyLevel | None]]:
    """Spread the kills evenly over the boundaries; every third run is killed again while it recovers."""
    random = Random(KILLS)  # noqa: S311 - where to die, no secret
    for number in count():
        autonomy = AutonomyLevel.SEMI_AUTONOMOUS if number % 4 == 3 else None
        last = gated if autonomy else whole
        first = 1 + (number * max(1, last // KILLS) if last >= KILLS else number) % last
        deaths = (first, random.randint(1, last)) if number % 3 == 2 else (first,)
        yield deaths, autonomy


def _check(harness: Chaos, trial: Trial, org_id: UUID) -> None:
    assert trial.state == "COMPLETED", trial
    assert [harness.arrived(step, trial) for step in ("mail", "hook", "keyed")] == [1, 1, 1], trial
    assert published(load_settings().home, "demo", trial.id) == trial.title
    assert rows(f"SELECT status, lease_expires_at FROM orchestrator_runs WHERE id = '{trial.id}'") == [
        ("completed", None)
    ]
    of_run = f"WHERE run_id = '{trial.id}'"
    completed = f"SELECT step_id FROM agent_invocations {of_run} AND status = 'completed' ORDER BY step_id"
    assert [name for (name,) in rows(completed)] == ["added", "hook", "keyed", "mail", "propose", "publish"]
    assert rows(f"SELECT DISTINCT status FROM effects {of_run}") == [("done",)]
    assert rows(f"SELECT count(*) FROM agent_invocations {of_run} AND status = 'running'") == [(0,)]
    assert rows(f"SELECT count(*) FROM agent_pending_actions {of_run} AND status = 'pending'") == [(0,)]
    assert rows(f"SELECT count(*) FROM plan_revisions {of_run}") == [(2,)]
    with org_session(org_id) as session:
        assert verify_chain(org_id, session=session)[1] is None
