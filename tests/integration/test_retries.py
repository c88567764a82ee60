"""A new run that takes up an ended one: what it reuses, what it does again, what it refuses."""

from pathlib import Path
from uuid import UUID

import pytest

from maos.actions import StepOutcome
from maos.effects import Effect, EffectKind
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.risk import RiskLevel
from tasks.files import write_file
from tasks.services.registry import ServiceCall, internal_service
from tests.gates import REVIEWER, answer_form, only_run_id, pending, rows, wait_for
from tests.plans import Bench, NoteParameters, step
from tests.rule_books import ProjectRules


def _broken(bench: Bench) -> Path:
    """Let step `c` fail until the file is gone."""
    broken = bench.carried_out.with_name("broken")
    broken.touch()

    def fail(name: str) -> None:
        if name == "c" and broken.exists():
            raise EngineFailure(FailureKind.BAD_REQUEST, "as told")

    bench.before = fail
    bench.plan(step("a", text="a"), step("b", text="b", after=("a",)), step("c", text="c", after=("b",)))
    return broken


def _attempts(run_id: UUID) -> list[tuple[str, str, bool]]:
    found = rows(
        "SELECT step_id, status, reused_from IS NOT NULL FROM agent_invocations "
        f"WHERE run_id = '{run_id}' ORDER BY 1, 2"
    )
    return [(name, status, reused) for name, status, reused in found]


def test_a_retry_reuses_what_is_finished_and_does_the_rest(bench: Bench) -> None:
    broken = _broken(bench)
    assert bench.run().is_failed()
    parent = only_run_id()
    broken.unlink()

    state = bench.run(retry={"run": str(parent)})

    assert state.is_completed()
    assert bench.effects == ["a", "b", "c"]
    ((child,),) = rows(f"SELECT id FROM orchestrator_runs WHERE parent_run_id = '{parent}'")
    assert _attempts(child) == [("a", "completed", True), ("b", "completed", True), ("c", "completed", False)]
    assert rows(f"SELECT sum(cost_usd) FROM agent_invocations WHERE run_id = '{child}'") == [(0,)]


def test_a_retry_from_a_step_does_it_and_all_that_depends_on_it_again(bench: Bench) -> None:
    _broken(bench).unlink()
    assert bench.run().is_completed()

    state = bench.run(retry={"run": str(only_run_id()), "from_step": "b"})

    assert state.is_completed()
    assert bench.effects == ["a", "b", "c", "b", "c"]


@pytest.mark.parametrize(
    ("retry", "fields", "said"),
    [
        ({"run": "00000000-0000-0000-0000-000000000001"}, {}, "a run of demo"),
        ({"from_step": "nowhere"}, {}, "allowed: a, b, c"),
        ({}, {}, "the step to begin with"),
        ({"from_step": "b"}, {"org": "other"}, "organisations of"),
    ],
)
def test_what_cannot_be_taken_up_is_refused_before_anything_is_written(
    bench: Bench, retry: dict[str, str], fields: dict[str, str], said: str
) -> None:
    _broken(bench).unlink()
    bench.run()

    state = bench.run(retry={"run": str(only_run_id()), **retry}, **fields)

    assert state.is_failed()
    assert said in str(state.message)
    assert rows("SELECT count(*) FROM orchestrator_runs") == [(1,)]


def test_a_run_under_way_cannot_be_retried(bench: Bench) -> None:
    bench.plan(step("a", "note_high", text="a"))
    beside = bench.run_beside()
    wait_for(pending)
    run_id = only_run_id()

    state = bench.run(retry={"run": str(run_id)})

    assert "a run that has ended; this one is" in str(state.message)
    answer_form(run_id, decision="approve", reviewer=REVIEWER)
    beside.end()


def test_files_of_reused_steps_are_copied_and_must_be_what_they_were(bench: Bench) -> None:

    @internal_service(action="draw", risk=RiskLevel.LOW, title="Draw.", parameters=NoteParameters)
    def draw(call: ServiceCall[NoteParameters]) -> StepOutcome:
        file = write_file(call.folder, "drawn.txt", b"drawn", "text/plain")
        return StepOutcome(output={"file": file.name}, summary="Drawn.", artifacts=(file,))

    bench.plan(step("a", "draw"), step("b", text="b", after=("a",)))
    assert bench.run().is_completed()
    parent = only_run_id()
    assert bench.run(retry={"run": str(parent), "from_step": "b"}).is_completed()
    from maos.settings import load_settings

    files = list((load_settings().home / "artifacts" / "demo").glob("*/drawn.txt"))
    assert [file.read_text() for file in files] == ["drawn", "drawn"]

    next(file for file in files if str(parent) in str(file)).write_text("forged")
    state = bench.run(retry={"run": str(parent), "from_step": "b"})

    assert "has changed since it was made" in str(state.message)


def _register_delivery(bench: Bench) -> Path:
    """Register an effect that happens, and whose end nobody hears of."""
    delivered = bench.carried_out.with_name("delivered")

    @internal_service(
        action="deliver",
        risk=RiskLevel.LOW,
        title="Deliver.",
        parameters=NoteParameters,
        effect=Effect(kind=EffectKind.EMAIL),
        confirmed=lambda _call: StepOutcome(output={"text": "confirmed"}, summary="Confirmed."),
    )
    def deliver(_call: ServiceCall[NoteParameters]) -> StepOutcome:
        with delivered.open("a") as file:
            file.write(".")
        raise EngineFailure(FailureKind.INTERRUPTED, "as told")

    return delivered


def _asked_again(bench: Bench, parent: UUID, delivered: Path) -> None:
    again = bench.run_beside(retry={"run": str(parent)})
    (asked,) = wait_for(pending)
    assert (asked.kind, asked.run_id != parent) == ("in_doubt", True)
    answer_form(asked.run_id, decision="approve: done", reviewer=REVIEWER)

    assert again.end().is_completed()
    assert delivered.read_text() == "."


def test_an_effect_in_doubt_stays_in_doubt_in_the_run_that_retries(bench: Bench) -> None:
    delivered = _register_delivery(bench)
    bench.plan(step("a", "deliver"))
    beside = bench.run_beside()
    wait_for(pending)
    parent = only_run_id()
    answer_form(parent, decision="reject", reviewer=REVIEWER, note="later")
    beside.end()

    _asked_again(bench, parent, delivered)


def test_a_doubt_outlasts_rules_that_forbid_the_step_for_a_while(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project, delivered = ProjectRules(monkeypatch, tmp_path), _register_delivery(bench)
    project.say("")
    bench.plan(step("a", "deliver"))
    beside = bench.run_beside()
    wait_for(pending)
    parent = only_run_id()
    project.say("actions: [profile_data]")
    answer_form(parent, decision="approve: again", reviewer=REVIEWER)
    assert beside.end().is_failed()
    project.say("")

    _asked_again(bench, parent, delivered)
