"""What a plan means before it runs, and that the ceilings it shows are ceilings."""

from decimal import Decimal

import pytest
from pydantic import BaseModel

from maos.actions import ActionSpec
from maos.approval_policy import Group
from maos.autonomy import AutonomyLevel
from maos.effects import Effect, EffectKind
from maos.engines import EngineType
from maos.plan_view import Asking, dollars, plan_rows, total_ceiling
from maos.plans import Agent, Plan, PlanStep
from maos.policy import Policy, PolicyBook, RiskPolicy, StageRule
from maos.rendering import TemplateText
from maos.risk import RiskLevel
from maos.rules import Rules
from maos.writing import LONGEST_FAULTS_BYTES, Prompt, longest_form, rewritten

ASKED = "owner or reviewer, not author@demo.example"
SERVICE = EngineType.INTERNAL_SERVICE


class Nothing(BaseModel):
    """No parameters."""


def action(name: str, risk: RiskLevel, **facts: object) -> ActionSpec:
    fields = {"name": name, "engine": SERVICE, "risk": risk, "title": "Act.", "parameters": Nothing}
    return ActionSpec.model_validate(fields | facts)


ACTIONS = {
    spec.name: spec
    for spec in (
        *(action(risk.value, risk) for risk in RiskLevel),
        action("look", RiskLevel.LOW, read_only=True),
        action("checkpoint", RiskLevel.LOW, always_asks=True),
    )
}


def step(name: str, *after: str, action: str = "low", phase: str | None = None) -> PlanStep:
    return PlanStep(id=name, agent=Agent(name="clerk"), engine=SERVICE, action=action, after=after, phase=phase)


def asking(autonomy: AutonomyLevel, *, exempt: bool = False) -> Asking:
    policies = PolicyBook(policy=Policy(read_only_exempt=exempt))
    return Asking(autonomy=autonomy, initiator="author@demo.example", rules=Rules(), policies=policies)


@pytest.mark.parametrize(
    ("name", "autonomy", "exempt", "approvers"),
    [
        ("low", AutonomyLevel.SUPERVISED, False, ASKED),
        ("low", AutonomyLevel.SEMI_AUTONOMOUS, False, ""),
        ("high", AutonomyLevel.SEMI_AUTONOMOUS, False, ASKED),
        ("high", AutonomyLevel.AUTONOMOUS, False, ""),
        ("critical", AutonomyLevel.AUTONOMOUS, True, ASKED),
        ("look", AutonomyLevel.SUPERVISED, False, ASKED),
        ("look", AutonomyLevel.SUPERVISED, True, ""),
        ("checkpoint", AutonomyLevel.AUTONOMOUS, True, ASKED),
    ],
)
def test_a_row_names_who_would_be_asked(name: str, autonomy: AutonomyLevel, exempt: bool, approvers: str) -> None:
    (row,) = plan_rows(Plan(steps=(step("a", action=name),)), ACTIONS, asking(autonomy, exempt=exempt), {})

    assert row.approvers == approvers


def test_rows_stand_in_the_order_of_execution_and_each_phase_together() -> None:
    plan = Plan(
        steps=(
            step("publish", "write", "draw", phase="Share"),
            step("draw", "read", phase="Make"),
            step("count", "read", phase="Count"),
            step("write", "read", phase="Make"),
            step("read", phase="Read"),
        )
    )

    rows = plan_rows(plan, ACTIONS, asking(AutonomyLevel.AUTONOMOUS), {})

    assert [(row.step, row.phase) for row in rows] == [
        ("read", "Read"),
        ("draw", "Make"),
        ("write", "Make"),
        ("count", "Count"),
        ("publish", "Share"),
    ]
    assert rows[-1].after == ("draw", "write")


def test_ceilings_are_added_up() -> None:
    plan = Plan(steps=(step("a"), step("b"), step("c")))
    ceilings = {"a": Decimal("0.10000000"), "c": Decimal("1.25000000")}

    rows = plan_rows(plan, ACTIONS, asking(AutonomyLevel.AUTONOMOUS), ceilings)

    assert [dollars(row.ceiling_usd) for row in rows] == ["0.1", "0", "1.25"]
    assert dollars(total_ceiling(rows)) == "1.35"


@pytest.mark.parametrize("fault", ["too long", "ü" * 50_000, "x" * 50_000])
def test_no_rewrite_is_longer_than_the_longest_form(fault: str) -> None:
    prompt = Prompt(system="You write.", user="Write.", answer=Nothing)

    rewrite = rewritten(prompt, fault)

    assert len(rewrite.user.encode()) <= len(longest_form(prompt).user.encode())
    assert rewrite.user.startswith("Write.\n\nYour last answer was refused:\n")
    assert rewrite.user.endswith("\nWrite it anew.")
    assert len(rewrite.user) <= len(prompt.user) + LONGEST_FAULTS_BYTES + 100


class Letter(BaseModel):
    to: TemplateText = ""


LETTER = action("letter", RiskLevel.HIGH, effect=Effect(kind=EffectKind.EMAIL), parameters=Letter)
TWO_PEOPLE = RiskPolicy(stages=(StageRule(groups=(Group(needed=2),)),), expires_after_hours=Decimal("1.5"))


@pytest.mark.parametrize(
    ("to", "risk", "approvers", "approvals", "expires"),
    [
        ("ann@example.com", "high", ASKED, 1, "8 h"),
        ("{{ who.address }}", "high or higher", ASKED, 1, "8 h"),
        (
            ",".join(f"p{number}@example.com" for number in range(11)),
            "critical",
            "2 of owner or reviewer, not author@demo.example",
            2,
            "1.5 h",
        ),
    ],
)
def test_a_row_shows_the_policy_that_would_be_asked(
    to: str, risk: str, approvers: str, approvals: int, expires: str
) -> None:
    letter = step("a", action="letter").model_copy(update={"parameters": {"to": to}})
    book = PolicyBook(policy=Policy(approvals={RiskLevel.CRITICAL: TWO_PEOPLE}), version=3)
    asked = asking(AutonomyLevel.SEMI_AUTONOMOUS).model_copy(update={"policies": book})

    (row,) = plan_rows(Plan(steps=(letter,)), {"letter": LETTER}, asked, {})

    assert (row.risk_in_words, row.approvers, row.approvals, row.expires_after) == (risk, approvers, approvals, expires)


def test_a_step_that_runs_unasked_says_nothing_of_approvals() -> None:
    (row,) = plan_rows(Plan(steps=(step("a"),)), ACTIONS, asking(AutonomyLevel.AUTONOMOUS), {})

    assert (row.approvers, row.approvals, row.expires_after) == ("", 0, "")


def test_an_action_that_nobody_knows_counts_as_critical() -> None:
    (row,) = plan_rows(Plan(steps=(step("a", action="gone"),)), ACTIONS, asking(AutonomyLevel.AUTONOMOUS), {})

    assert (row.risk, row.approvers) == (RiskLevel.CRITICAL, ASKED)
