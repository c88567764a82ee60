from typing import Any

import pytest

from maos.engines import EngineType
from maos.errors import PlanRefused
from maos.plan_versions import load_plan
from maos.plans import Agent, OnFailure, OnReject, Plan, PlanStep, RetryPolicy

# As release 0.1.0 wrote it.
VERSION_1: dict[str, Any] = {
    "schema_version": 1,
    "steps": [
        {
            "id": "profile",
            "agent": "data analyst",
            "engine": "internal_service",
            "action": "profile_data",
            "parameters": {"dataset": "orders.csv", "digest": "00ff"},
            "inputs": {},
            "after": [],
        },
        {
            "id": "publish",
            "agent": "publisher",
            "engine": "internal_service",
            "action": "publish_report",
            "parameters": {},
            "inputs": {"profile": "profile"},
            "after": ["profile"],
        },
    ],
}


def test_a_plan_of_version_1_means_the_same_as_it_did() -> None:
    profile = PlanStep(
        id="profile",
        agent=Agent(name="data analyst", persona=""),
        engine=EngineType.INTERNAL_SERVICE,
        action="profile_data",
        parameters={"dataset": "orders.csv", "digest": "00ff"},
        retry=RetryPolicy(attempts=3),
        on_failure=OnFailure.FAIL,
        on_reject=OnReject.STOP,
    )
    publish = PlanStep(
        id="publish",
        agent=Agent(name="publisher", persona=""),
        engine=EngineType.INTERNAL_SERVICE,
        action="publish_report",
        inputs={"profile": "profile"},
        after=("profile",),
    )

    assert load_plan(VERSION_1) == Plan(steps=(profile, publish), parallelism=8, revisions=())


def test_a_stored_plan_is_left_as_it_was_stored() -> None:
    before = repr(VERSION_1)

    load_plan(VERSION_1)

    assert repr(VERSION_1) == before


def test_the_present_version_loads_as_it_is() -> None:
    plan = load_plan(VERSION_1)

    assert load_plan(plan.model_dump(mode="json")) == plan


@pytest.mark.parametrize("version", [4, 5, 1000])
def test_a_newer_version_is_refused_by_its_number(version: int) -> None:
    with pytest.raises(PlanRefused, match=f"schema_version {version} is newer than 3, the newest this release knows"):
        load_plan({"schema_version": version, "unknown": "form"})


@pytest.mark.parametrize("version", [0, -1, None, "1", "two", 1.0, True, [1], {}])
def test_what_is_no_version_is_refused(version: object) -> None:
    with pytest.raises(PlanRefused, match="is none; versions begin with 1"):
        load_plan(VERSION_1 | {"schema_version": version})


def test_a_plan_without_a_version_is_refused() -> None:
    with pytest.raises(PlanRefused, match="schema_version None is none"):
        load_plan({"steps": VERSION_1["steps"]})


def test_every_fault_of_form_is_named_at_once() -> None:
    bad = {"id": "A", "agent": "x", "action": "y"}
    stored = {"schema_version": 3, "parallelism": 99, "steps": [VERSION_1["steps"][0], bad], "colour": 1}

    with pytest.raises(PlanRefused) as refused:
        load_plan(stored)

    assert list(refused.value.faults) == [
        "parallelism: Input should be less than or equal to 16",
        "steps.1.id: String should match pattern '^[a-z][a-z0-9_]{0,62}$'",
        "steps.1.engine: Field required",
        "colour: Extra inputs are not permitted",
    ]


@pytest.mark.parametrize(
    ("stored", "fault"),
    [
        ({"schema_version": 1}, "steps: Field required"),
        ({"schema_version": 1, "steps": []}, "steps: Tuple should have at least 1 item"),
        ({"schema_version": 1, "steps": "all"}, "steps: Input should be a valid tuple"),
        ({"schema_version": 1, "steps": [7]}, "steps.0: Input should be a valid dictionary"),
        ({"schema_version": 1, "steps": [{}]}, "steps.0.agent: Field required"),
        ({"schema_version": 1, "steps": VERSION_1["steps"], "colour": 1}, "colour: Extra inputs are not permitted"),
    ],
)
def test_an_old_plan_that_has_not_its_own_form_is_refused_and_not_half_read(stored: dict[str, Any], fault: str) -> None:
    with pytest.raises(PlanRefused) as refused:
        load_plan(stored)

    assert fault in str(refused.value)
