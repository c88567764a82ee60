import pytest
from pydantic import ValidationError

from maos.plans import Mode, Plan, PlanStep, RetryPolicy, arranged


def _step(name: str, **fields: object) -> PlanStep:
    return PlanStep.model_validate(
        {"id": name, "agent": "clerk", "engine": "internal_service", "action": "count", **fields}
    )


def test_an_unapproved_engine_is_no_engine() -> None:
    with pytest.raises(ValidationError, match="'claude_cli', 'deep_agent', 'gemini_image' or 'internal_service'"):
        _step("a", engine="gpt")


def test_an_agent_may_be_given_by_its_name_alone() -> None:
    assert _step("a", agent="clerk") == _step("a", agent={"name": "clerk", "persona": ""})


@pytest.mark.parametrize("agent", ["", {"name": ""}, {"name": "x" * 101}, {"name": "x", "age": 3}, 7, None])
def test_what_is_no_agent_is_refused(agent: object) -> None:
    with pytest.raises(ValidationError):
        _step("a", agent=agent)


@pytest.mark.parametrize("name", ["", "A", "1a", "a-b", "a.b", "a b", "a\n", "ä", "x" * 64, "(run)"])
def test_what_is_no_name_of_a_step_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        _step(name)


def test_a_step_waits_for_what_it_reads_and_for_what_it_comes_after() -> None:
    step = _step("d", inputs={"left": "a", "right": "b.rows.0"}, after=["c", "a"])

    assert step.depends_on == {"a", "b", "c"}


def test_the_last_steps_are_those_nothing_depends_on() -> None:
    plan = Plan(steps=(_step("a"), _step("b", inputs={"x": "a.rows"}), _step("c", after=["a"])))

    assert [step.id for step in plan.last_steps] == ["b", "c"]


def test_a_plan_keeps_its_digest_through_json() -> None:
    plan = Plan(steps=(_step("a"), _step("b", inputs={"left": "a"}))).extended([_step("c", retry={"jitter": 0.25})])

    assert Plan.model_validate_json(plan.model_dump_json()).digest == plan.digest


def test_a_step_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(KeyError, match="b"):
        Plan(steps=(_step("a"),)).step("b")


@pytest.mark.parametrize("parallelism", [0, 17, -1])
def test_parallelism_has_bounds(parallelism: int) -> None:
    with pytest.raises(ValidationError):
        Plan(steps=(_step("a"),), parallelism=parallelism)


# Revisions

FIRST = Plan(steps=(_step("a"), _step("b", after=["a"])), parallelism=3)


def test_an_extended_plan_has_the_same_steps_and_the_new_ones_after_them() -> None:
    extended = FIRST.extended([_step("c")])

    assert [step.id for step in extended.steps] == ["a", "b", "c"]
    assert extended.parallelism == 3
    assert extended.revisions == (2,)
    assert (FIRST.revision, extended.revision) == (1, 2)


def test_a_step_is_seen_under_the_digest_of_the_revision_that_first_had_it() -> None:
    second = FIRST.extended([_step("c"), _step("d")])
    third = second.extended([_step("e", after=["d"])])

    digests = [third.digest_for(name) for name in "abcde"]

    assert digests == [FIRST.digest, FIRST.digest, second.digest, second.digest, third.digest]
    assert len({FIRST.digest, second.digest, third.digest}) == 3


def test_the_digest_of_a_step_outlasts_the_store() -> None:
    third = FIRST.extended([_step("c")]).extended([_step("d")])

    assert Plan.model_validate_json(third.model_dump_json()).digest_for("c") == third.digest_for("c")


@pytest.mark.parametrize("tampered", [0, 1])
@pytest.mark.parametrize("seen", ["a", "b", "c", "d"])
def test_a_tampered_step_changes_the_digest_of_every_step_of_its_revision_and_later(tampered: int, seen: str) -> None:
    plan = FIRST.extended([_step("c")]).extended([_step("d")])
    steps = list(plan.steps)
    steps[tampered] = steps[tampered].model_copy(update={"parameters": {"to": "thief@evil.example"}})

    assert plan.model_copy(update={"steps": tuple(steps)}).digest_for(seen) != plan.digest_for(seen)


def test_a_tampered_later_step_leaves_the_digests_before_it() -> None:
    plan = FIRST.extended([_step("c")])
    tampered = plan.model_copy(update={"steps": (*FIRST.steps, _step("c", action="steal"))})

    assert tampered.digest_for("a") == plan.digest_for("a")
    assert tampered.digest_for("c") != plan.digest_for("c")


@pytest.mark.parametrize(
    ("start", "found"),
    [("a", "abcde"), ("b", "bde"), ("c", "cde"), ("d", "de"), ("e", "e"), ("f", "f")],
)
def test_downstream_is_the_step_and_all_that_depends_on_it(start: str, found: str) -> None:
    steps = (
        _step("e", after=["d"]),
        _step("d", inputs={"left": "b.rows", "right": "c"}),
        _step("c", after=["a"]),
        _step("b", after=["a"]),
        _step("a"),
        _step("f"),
    )

    assert Plan(steps=steps).downstream_of(start) == set(found)


# Modes


def _after(*steps: PlanStep, mode: Mode) -> dict[str, tuple[str, ...]]:
    return {step.id: step.after for step in arranged(steps, mode)}


def test_in_sequence_each_step_waits_for_the_one_before() -> None:
    steps = (_step("a"), _step("b"), _step("c", after=["b"]), _step("d", after=["a"]))

    assert _after(*steps, mode=Mode.SEQUENTIAL) == {"a": (), "b": ("a",), "c": ("b",), "d": ("a", "c")}


def test_in_parallel_steps_wait_only_for_what_they_read() -> None:
    steps = (_step("a"), _step("b", after=["a"]), _step("c", after=["b"], inputs={"x": "a"}))

    assert _after(*steps, mode=Mode.PARALLEL) == {"a": (), "b": (), "c": ()}
    assert arranged(steps, Mode.PARALLEL)[2].depends_on == {"a"}


def test_a_graph_is_left_as_it_is() -> None:
    steps = (_step("a"), _step("b", after=["a"]))

    assert arranged(steps, Mode.DAG) == steps


@pytest.mark.parametrize("mode", Mode)
def test_nothing_is_arranged_as_nothing(mode: Mode) -> None:
    assert arranged([], mode) == ()


# Retries


@pytest.mark.parametrize(
    ("policy", "tried", "delays"),
    [
        (RetryPolicy(), 0, [1, 2]),
        (RetryPolicy(), 1, [2]),
        (RetryPolicy(), 2, []),
        (RetryPolicy(), 3, []),
        (RetryPolicy(attempts=1), 0, []),
        (RetryPolicy(attempts=5, first_delay_seconds=10, factor=3, longest_delay_seconds=80), 0, [10, 30, 80, 80]),
        (RetryPolicy(attempts=5, first_delay_seconds=10, factor=3, longest_delay_seconds=80), 3, [80]),
        (RetryPolicy(attempts=3, first_delay_seconds=0), 0, [0, 0]),
        (RetryPolicy(attempts=3, factor=1), 0, [1, 1]),
    ],
)
def test_each_wait_is_longer_than_the_one_before_up_to_the_longest(
    policy: RetryPolicy, tried: int, delays: list[float]
) -> None:
    assert policy.delays(tried=tried) == delays


@pytest.mark.parametrize("fields", [{"attempts": 0}, {"attempts": 11}, {"factor": 0.5}, {"jitter": 1.1}, {"tries": 3}])
def test_a_policy_without_an_end_is_none(fields: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        RetryPolicy.model_validate(fields)
