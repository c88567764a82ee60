import pytest

from maos.drift import Drift, changes_of, drift_as_markdown, rebuilt_plan
from maos.plans import Plan
from tests.runs import step

PINNED = Plan(steps=(step("a"), step("b", "low", ("a",)), step("c", "high", ("b",))))


def test_the_same_plan_is_no_difference() -> None:
    assert changes_of(PINNED, PINNED, set()) == ()


def test_what_is_gone_new_or_changed_is_named() -> None:
    rebuilt = Plan(steps=(step("a", "low", agent="editor"), step("c", "critical", ("a",)), step("d", "medium")))

    assert changes_of(PINNED, rebuilt, set()) == (
        "step 'a' has changed: agent",
        "step 'b' is gone",
        "step 'c' has changed: action, after",
        "step 'd' is new: medium",
    )


def test_what_is_done_is_no_difference() -> None:
    rebuilt = Plan(steps=(step("a", "low", agent="editor"), step("c", "high", ("b",))))

    assert changes_of(PINNED, rebuilt, {"a", "b"}) == ()


def test_the_order_in_which_steps_are_listed_is_no_difference() -> None:
    assert changes_of(PINNED, Plan(steps=PINNED.steps[::-1]), set()) == ()


def test_steps_that_outcomes_have_added_are_no_difference() -> None:
    extended = PINNED.extended([step("x")]).extended([step("y")])

    assert changes_of(extended, PINNED, set()) == ()


def test_a_rebuilt_plan_keeps_what_is_done_and_takes_the_rest_anew() -> None:
    rebuilt = Plan(steps=(step("a", "medium"), step("b", "medium", ("a",)), step("d", "low", ("b",))), parallelism=2)

    plan = rebuilt_plan(PINNED.extended([step("x"), step("y")]), rebuilt, {"a", "x"})

    assert plan == Plan(
        steps=(step("a"), step("x"), step("b", "medium", ("a",)), step("d", "low", ("b",))), parallelism=2
    )


def test_nothing_but_what_is_done_outlasts_a_rebuild() -> None:
    assert rebuilt_plan(PINNED, PINNED, set()) == PINNED


def test_a_rebuilt_plan_has_no_difference_to_itself_any_more() -> None:
    rebuilt = Plan(steps=(step("a", "medium"), step("d", "low", ("a",))))

    plan = rebuilt_plan(PINNED, rebuilt, {"a"})

    assert changes_of(plan, rebuilt, {"a"}) == ()


def _drift(**fields: object) -> Drift:
    known: dict[str, object] = {
        "changed": ("action `send`|",),
        "steps": ("step 'b' is gone",),
        "rebuilt": PINNED,
        "fault": None,
    }
    return Drift.model_validate(known | fields)


def test_the_reviewer_reads_what_has_changed_and_what_each_choice_means() -> None:
    assert drift_as_markdown(_drift()) == (
        "The run wakes up under other code or rules than it was planned with.\n"
        "\n"
        "- `action 'send'\\|` is no longer what the run was planned with\n"
        "\n"
        "**Differences of a plan made now, in what is not done**\n"
        "\n"
        "- `step 'b' is gone`\n"
        "\n"
        "**Choices**\n"
        "\n"
        "- `pinned`: go on with the plan as it is, under the present code\n"
        "- `rebuild`: plan anew what is not done; what is done stays\n"
        "- reject: cancel the run\n"
    )


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"steps": ()}, "- none"),
        ({"rebuilt": None, "fault": "orders.csv\nis gone"}, "- `rebuild` is not possible: `orders.csv is gone`"),
    ],
)
def test_the_reviewer_reads_what_is_not_there(fields: dict[str, object], line: str) -> None:
    assert line in drift_as_markdown(_drift(**fields)).splitlines()
