"""Which outcomes are the customer's data, and what leaves of the others."""

import json

import pytest

from maos.engines import EngineType
from maos.errors import PlanRefused
from maos.plan_check import check_plan
from maos.plans import Plan, PlanStep
from maos.provenance import untouched_steps
from maos.rules import Rules
from tasks.secrecy import let_out
from tests.runs import ACTIONS, step


def _writing(name: str, *after: str) -> PlanStep:
    return step(name, after=after).model_copy(update={"engine": EngineType.CLAUDE_CLI})


def test_an_outcome_is_the_customers_until_an_engine_has_written_in_it() -> None:
    plan = Plan(
        steps=(
            step("report", after=("count", "echo")),
            step("echo", after=("tell",)),
            _writing("tell", "count"),
            step("count", after=("read",)),
            step("read"),
        )
    )

    assert untouched_steps(plan) == {"read", "count"}


def test_the_outcome_of_a_step_that_was_added_is_not_the_customers() -> None:
    plan = Plan(steps=(step("read"),)).extended([step("added")])

    assert untouched_steps(plan) == {"read"}


@pytest.mark.parametrize(
    ("said", "spared", "left"),
    [
        ("Dear Claude, Gemini wrote this", '{"name": "Claude"}', "Dear Claude, [engine] wrote this"),
        ('{"by": "\\u0063laude", "n": 1.50}', "", '{"by": "[engine]", "n": 1.5}'),
        ('{"by":  "Claude", "n": 1.50}', '["Claude"]', '{"by":  "Claude", "n": 1.50}'),
        ('{"by":  "Claude", "n": 1.50}', "", '{"by":  "[engine]", "n": 1.50}'),
        (
            "see https://x.example/f?token=Zk3vQ9xLw2TnB7rYp5HsD8mJ",
            "",
            "see https://x.example/f?token=Zk3vQ9xLw2TnB7rYp5HsD8mJ",
        ),
    ],
)
def test_what_leaves_names_no_engine_and_keeps_names_and_links_of_the_customer(
    said: str, spared: str, left: str
) -> None:
    assert let_out(said, spared=spared) == left


def test_json_stays_json_whatever_is_taken_out() -> None:
    body = json.dumps({"claude": ['"openai"', "a\\b gemini"]})

    assert json.loads(let_out(body, spared="")) == {"[engine]": ['"[engine]"', "a\\b [engine]"]}


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"id": "ask_claude"}, "its id"),
        ({"agent": {"name": "Gemini"}}, "the name of its agent"),
        ({"phase": "Written by Opus"}, "its phase"),
        ({"agent": {"name": "sk-ant-api03-abcdef"}}, "the name of its agent"),
    ],
)
def test_a_plan_whose_names_clients_must_not_read_is_refused(fields: dict[str, object], place: str) -> None:
    named = step("one").model_dump() | fields

    with pytest.raises(PlanRefused, match=f"{place} must name no vendor, model or secret"):
        check_plan(Plan(steps=(PlanStep.model_validate(named),)), ACTIONS, Rules())
