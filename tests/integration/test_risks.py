"""A step waits by the risk of its final parameters, its team and the policy of now; what was asked stays asked."""

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

import pytest
from prefect.client.schemas.objects import StateType
from sqlalchemy import text

from maos.actions import StepOutcome
from maos.approvals import ApprovalKind
from maos.effects import Effect, EffectKind
from maos.plans import PlanStep
from maos.policy import PolicyBook
from maos.rendering import TemplateText
from maos.risk import RiskLevel
from sql.organizations import ensure_member
from sql.session import system_session
from tasks.policies import policy_book, store_policy
from tasks.services.registry import ServiceCall, internal_service
from tests.gates import REVIEWER, answer_form, only_run_id, pending, rows, wait_for
from tests.plans import Bench, NoteParameters, step

OWNER = "owner@demo.example"
DecidePolicy = Callable[[str], PolicyBook]
T = TypeVar("T")


@pytest.fixture(autouse=True)
def owner(org_id: UUID) -> None:
    with system_session() as session:
        ensure_member(OWNER, "Owner", "owner", org_id=org_id, session=session)


@pytest.fixture
def decide_policy(org_id: UUID) -> DecidePolicy:
    def store(document: str) -> PolicyBook:
        store_policy(org_id, document, person=OWNER, reason="test")
        return policy_book(org_id)

    return store


class Letter(NoteParameters):
    to: TemplateText = "ann@example.com"


@pytest.fixture
def letters(bench: Bench) -> Bench:
    """The bench with `send_letter`, of high risk, which notes what it sends."""

    @internal_service(
        action="send_letter",
        risk=RiskLevel.HIGH,
        title="Send a letter.",
        parameters=Letter,
        open_inputs=True,
        effect=Effect(kind=EffectKind.EMAIL, repeatable=True),
    )
    def send(_call: ServiceCall[Letter]) -> StepOutcome:
        with bench.carried_out.open("a") as file:
            file.write("sent\n")
        return StepOutcome(output={}, summary="Sent.")

    return bench


def eventually(find: Callable[[], T | None]) -> T:
    return wait_for(find, seconds=120)


def letter(people: int, name: str = "letter") -> PlanStep:
    return step(name, "send_letter", to=", ".join(f"p{number}@example.com" for number in range(people)))


def answer(decision: str = "approve", **fields: object) -> None:
    answer_form(only_run_id(), decision=decision, reviewer=REVIEWER, **fields)


def _set_autonomy(level: str) -> None:
    with system_session() as session:
        session.execute(text("UPDATE organizations SET autonomy = :level"), {"level": level})


def test_a_letter_to_eleven_people_waits_as_critical_in_an_autonomous_run_and_one_to_two_runs(letters: Bench) -> None:
    _set_autonomy("autonomous")
    letters.plan(letter(2, "few"), letter(11, "many"), step("after", text="after", after=("many",)))
    beside = letters.run_beside()
    (asked,) = eventually(pending)
    eventually(lambda: letters.effects == ["sent"])

    assert (asked.step_id, asked.risk, asked.policy.autonomy) == ("many", RiskLevel.CRITICAL, "autonomous")
    assert (asked.expires_at - asked.started_at).total_seconds() == 4 * 3600
    answer()
    assert beside.end().is_completed()
    assert letters.effects == ["sent", "sent", "after"]
    # Nobody had to find out by failing: the gate came before the first try.
    assert rows("SELECT step_id, attempt, status FROM agent_invocations ORDER BY started_at") == [
        ("few", 1, "completed"),
        ("many", 1, "completed"),
        ("after", 1, "completed"),
    ]
    assert rows("SELECT step_id, risk, was_automatic FROM agent_action_audit_log WHERE event = 'step.completed'") == [
        ("few", "high", True),
        ("many", "critical", False),
        ("after", "low", True),
    ]


def test_an_outcome_may_raise_the_risk_of_the_step_that_reads_it(letters: Bench) -> None:
    _set_autonomy("autonomous")
    people = " ".join(f"p{number}@example.com," for number in range(11))
    read = step("letter", "send_letter", to="{{ first.text }}").model_copy(update={"inputs": {"first": "first"}})
    letters.plan(step("first", text=people), read)
    beside = letters.run_beside()
    (asked,) = eventually(pending)

    assert (asked.step_id, asked.risk) == ("letter", RiskLevel.CRITICAL)
    answer("reject", note="too many")
    assert beside.end().type is StateType.CANCELLED
    assert "sent" not in letters.effects


def test_an_attempt_that_finds_itself_guarded_asks_and_is_not_begun_again_and_again(
    letters: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if the policy had changed after the executor looked.
    monkeypatch.setattr("flows.execution.may_wait", lambda *_: False)
    _set_autonomy("autonomous")
    letters.plan(letter(11))
    beside = letters.run_beside()
    (asked,) = eventually(pending)

    assert (asked.risk, letters.effects) == (RiskLevel.CRITICAL, [])
    answer()
    assert beside.end().is_completed()
    assert letters.effects == ["sent"]
    assert rows("SELECT count(*) FROM agent_pending_actions") == [(1,)]


def test_a_policy_that_loosens_does_not_weaken_what_was_asked(letters: Bench, decide_policy: DecidePolicy) -> None:
    named = "autonomy: autonomous\nrisk_rules: [{raise_to: critical, actions: [send_letter]}]\n"
    decide_policy(f"{named}approvals: {{critical: {{stages: [{{groups: [{{roles: [reviewer]}}]}}]}}}}")
    letters.plan(letter(1))
    beside = letters.run_beside()
    (asked,) = eventually(pending)
    decide_policy("autonomy: autonomous\napprovals: {critical: {self_approval: false, expires_after_hours: 8760}}")

    (still,) = pending()
    assert (still.id, still.risk, still.policy) == (asked.id, RiskLevel.CRITICAL, asked.policy)
    assert still.policy.version == 1
    assert still.policy.stages[0].groups[0].roles == {"reviewer"}
    assert letters.effects == []
    answer()
    assert beside.end().is_completed()
    assert rows("SELECT was_automatic FROM agent_action_audit_log WHERE event = 'step.completed'") == [(False,)]


def test_what_was_approved_as_less_than_it_is_by_now_asks_again(letters: Bench, decide_policy: DecidePolicy) -> None:
    held = step("held", "note_medium", text="held")
    letters.plan(letter(1), held)
    beside = letters.run_beside()
    eventually(lambda: len(pending()) == 2)
    decide_policy("risk_rules: [{raise_to: critical, actions: [send_letter]}]")
    answer()
    (again,) = eventually(lambda: [each for each in pending() if each.risk is RiskLevel.CRITICAL])

    assert "sent" not in letters.effects
    assert again.step_id == "letter"
    answer()
    assert beside.end().is_completed()
    assert sorted(letters.effects) == ["held", "sent"]


def test_a_team_makes_its_runs_stricter(bench: Bench, decide_policy: DecidePolicy) -> None:
    decide_policy("autonomy: autonomous\nteams: {billing: {autonomy: supervised}, research: {}}")
    bench.plan(step("a", text="a"))
    assert bench.run(team="research").is_completed()
    beside = bench.run_beside(team="billing")
    (asked,) = eventually(pending)

    assert (asked.step_id, asked.risk, asked.policy.autonomy) == ("a", RiskLevel.LOW, "supervised")
    assert rows("SELECT team, autonomy FROM orchestrator_runs ORDER BY started_at") == [
        ("research", "autonomous"),
        ("billing", "supervised"),
    ]
    answer_form(asked.run_id, decision="approve", reviewer=REVIEWER)  # type: ignore[arg-type] # of a run
    assert beside.end().is_completed()


def test_a_policy_that_tightens_holds_for_the_steps_that_are_left(bench: Bench, decide_policy: DecidePolicy) -> None:
    decide_policy("autonomy: autonomous")
    bench.plan(step("first", "note_critical", text="first"), step("later", text="later", after=("first",)))
    beside = bench.run_beside()
    eventually(pending)
    decide_policy("autonomy: supervised")
    answer()
    (asked,) = eventually(lambda: [each for each in pending() if each.step_id == "later"])

    assert (asked.risk, asked.policy.autonomy, bench.effects) == (RiskLevel.LOW, "supervised", ["first"])
    answer()
    assert beside.end().is_completed()


def test_a_policy_may_have_every_plan_approved_at_once(bench: Bench, decide_policy: DecidePolicy) -> None:
    decide_policy("plan_approval: true")
    bench.plan(step("a", "note_high", text="a"), step("b", "note_high", text="b"))
    beside = bench.run_beside()
    (asked,) = eventually(pending)

    assert (asked.kind, bench.effects) == (ApprovalKind.PLAN, [])
    answer()
    assert beside.end().is_completed()
    assert sorted(bench.effects) == ["a", "b"]
