from typing import Any

import pytest

from maos.autonomy import AutonomyLevel
from maos.canonical import digest_of
from maos.engines import EngineType
from maos.errors import PlanRefused
from maos.plan_versions import load_plan
from maos.plans import Agent, CalledBy, OnFailure, OnReject, Plan, PlanStep, RetryPolicy

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


# As release 0.1.0 of version 2 wrote it, with the digest that approvals and audit rows carry.
VERSION_2: dict[str, Any] = {
    "schema_version": 2,
    "parallelism": 8,
    "revisions": [1],
    "steps": [
        {
            "id": name,
            "agent": {"name": "data analyst", "persona": ""},
            "engine": "internal_service",
            "action": "profile_data",
            "parameters": {"dataset": "orders.csv", "digest": "00ff"},
            "inputs": {},
            "after": [],
            "phase": None,
            "timeout_seconds": None,
            "retry": {
                "attempts": 3,
                "first_delay_seconds": 1.0,
                "factor": 2.0,
                "longest_delay_seconds": 60.0,
                "jitter": 0.5,
            },
            "on_failure": "fail",
            "on_reject": "stop",
        }
        for name in ("profile", "more")
    ],
}


def test_a_plan_of_version_2_keeps_its_digests_so_that_what_was_approved_stands() -> None:
    plan = load_plan(VERSION_2)

    assert plan.schema_version == 3
    assert plan.digest == digest_of(VERSION_2)
    assert plan.digest_for("more") == digest_of(VERSION_2)
    first = VERSION_2 | {"steps": VERSION_2["steps"][:1], "revisions": []}
    assert plan.digest_for("profile") == digest_of(first)


def test_what_version_3_added_counts_where_it_says_something() -> None:
    plan = load_plan(VERSION_2)
    (first, second) = plan.steps
    stricter = plan.model_copy(
        update={"steps": (first.model_copy(update={"autonomy": AutonomyLevel.SUPERVISED}), second)}
    )
    called = CalledBy(step="profile", turn=1)
    calling = plan.model_copy(update={"steps": (first, second.model_copy(update={"called_by": called}))})

    assert len({plan.digest, stricter.digest, calling.digest}) == 3
    assert load_plan(calling.model_dump(mode="json")) == calling
