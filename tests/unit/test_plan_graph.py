"""The picture of a plan: where its steps stand, and that nothing in it can break out of its text."""

from itertools import combinations
from random import Random
from uuid import UUID
from xml.etree import ElementTree

import pytest
from pydantic import BaseModel

from maos.actions import ActionSpec
from maos.engines import EngineType
from maos.failures import FailureKind
from maos.plan_graph import mermaid_of, svg_of
from maos.plan_layout import CARD_HEIGHT, CARD_WIDTH, layers_of, layout_of
from maos.plan_looks import StepLook, looks_of
from maos.plans import Agent, Plan, PlanStep
from maos.risk import RiskLevel
from maos.runs import FailedStep, Ledger
from tasks.pictures import png_of

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '</text><script>alert("1")</script> ]]> &amp; "] click step_a href\n--> end %% `x`'


class Nothing(BaseModel):
    """No parameters."""


ACTIONS = {
    risk.value: ActionSpec(
        name=risk.value, engine=EngineType.INTERNAL_SERVICE, risk=risk, title="Act.", parameters=Nothing
    )
    for risk in RiskLevel
}


def step(name: str, *after: str, action: str = "low", agent: str = "clerk", phase: str | None = None) -> PlanStep:
    engine = EngineType.INTERNAL_SERVICE
    return PlanStep(id=name, agent=Agent(name=agent), engine=engine, action=action, after=after, phase=phase)


def plan(*steps: PlanStep) -> Plan:
    return Plan(steps=steps)


REPORT = plan(
    step("read"),
    step("count", "read"),
    step("draw", "count"),
    step("write", "read", "count"),
    step("publish", "read", "count", "draw", "write", action="high"),
)


def random_plan(seed: int, size: int = 50) -> Plan:
    random = Random(seed)  # noqa: S311 - tests want the same plans every time
    names = [f"s{number}" for number in range(size)]
    steps = [
        step(name, *random.sample(names[:number], min(number, int(random.random() * 4))))
        for number, name in enumerate(names)
    ]
    random.shuffle(steps)
    return plan(*steps)


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 - our own drawing


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in parsed(svg).iter(f"{SVG}text")]


def test_a_step_stands_in_the_layer_after_the_last_it_waits_for() -> None:
    layers = [[step.id for step in layer] for layer in layers_of(REPORT)]

    assert layers == [["read"], ["count"], ["draw", "write"], ["publish"]]


@pytest.mark.parametrize("seed", range(8))
def test_no_cards_overlap_and_all_stand_inside_the_picture(seed: int) -> None:
    layout = layout_of(random_plan(seed))

    for (x, y), (other_x, other_y) in combinations(layout.cards.values(), 2):
        assert abs(x - other_x) >= CARD_WIDTH or abs(y - other_y) >= CARD_HEIGHT
    for x, y in layout.cards.values():
        assert 0 <= x <= layout.width - CARD_WIDTH + 0.01
        assert 0 <= y <= layout.height - CARD_HEIGHT + 0.01


@pytest.mark.parametrize("seed", range(8))
def test_no_link_crosses_a_card(seed: int) -> None:
    layout = layout_of(random_plan(seed))

    for link in layout.links:
        middle_x, middle_y = (link.start.x + link.end.x) / 2, (link.start.y + link.end.y) / 2
        for x, y in layout.cards.values():
            assert not (x < middle_x < x + CARD_WIDTH and y < middle_y < y + CARD_HEIGHT)


def test_steps_are_ordered_by_what_they_wait_for_so_that_links_do_not_cross() -> None:
    crossed = plan(step("a"), step("b"), step("of_b", "b"), step("of_a", "a"), step("end", "of_a", "of_b"))

    cards = layout_of(crossed).cards

    assert (cards["a"].x < cards["b"].x) == (cards["of_a"].x < cards["of_b"].x)


def test_a_long_plan_reads_downwards_and_a_broad_one_sideways() -> None:
    chain = plan(step("s0"), *(step(f"s{number}", f"s{number - 1}") for number in range(1, 30)))
    fan = plan(step("a"), *(step(f"s{number}", "a") for number in range(30)))

    assert layout_of(chain).width == CARD_WIDTH
    assert layout_of(fan).width < 3 * CARD_WIDTH
    assert mermaid_of(chain, {}, ACTIONS, title="Chain").splitlines()[3] == "flowchart TD"
    assert mermaid_of(fan, {}, ACTIONS, title="Fan").splitlines()[3] == "flowchart LR"


def test_the_drawing_says_of_each_step_who_does_what_at_which_risk_and_how_far_it_is() -> None:
    publish = step("publish", action="high", agent="publisher", phase="Share")

    shown = texts(svg_of(plan(publish), {"publish": StepLook.WAITS}, ACTIONS, title="Orders"))

    assert shown == [
        "Orders",
        "‖ publish",
        "publisher · Share",
        "service · ▲ high risk",
        "waits for a person",
        "‖ waits for a person",
    ]


def test_the_legend_holds_the_looks_that_are_shown() -> None:
    looks = {"read": StepLook.COMPLETED, "count": StepLook.RUNNING}

    shown = texts(svg_of(REPORT, looks, ACTIONS, title="Orders"))

    assert shown[-3:] == ["○ planned", "▶ running", "✓ completed"]


def test_every_look_has_a_word_and_a_symbol_of_its_own() -> None:
    paints = [look.paint for look in StepLook]

    assert len({paint.symbol for paint in paints}) == len(StepLook)
    assert len({paint.word for paint in paints}) == len(StepLook)


def test_hostile_names_stay_text_in_the_drawing() -> None:
    hostile = plan(step("a", agent=HOSTILE, phase=HOSTILE[:60]), step("b", "a"))

    drawn = list(parsed(svg_of(hostile, {}, ACTIONS, title=HOSTILE)).iter())

    names = {element.tag.removeprefix(SVG) for element in drawn}
    assert names == {"svg", "title", "style", "defs", "marker", "path", "rect", "text", "g", "tspan"}
    assert not [element for element in drawn if "href" in element.attrib]


def test_hostile_names_stay_text_in_mermaid() -> None:
    hostile = plan(step("a", agent=HOSTILE), step("end", "a"))

    lines = mermaid_of(hostile, {}, ACTIONS, title=HOSTILE).splitlines()

    assert lines[0] == lines[2] == "---"
    assert lines[4].startswith('    step_a["○ a<br/>#60;#47;text#62;#60;script#62;alert')
    assert lines[4].count('"') == 2
    assert [line.strip() for line in lines[6:7]] == ["step_a --> step_end"]
    assert len(lines) == 8


@pytest.mark.parametrize("seed", [1, 2])
def test_fifty_steps_become_a_picture(seed: int) -> None:
    svg = svg_of(random_plan(seed), {}, ACTIONS, title="Many")

    assert png_of(svg).startswith(b"\x89PNG")
    assert len([text for text in texts(svg) if text.startswith("○ s")]) == 50


def test_what_states_no_size_is_no_picture() -> None:
    with pytest.raises(ValueError, match="width and height"):
        png_of("<svg/>")


def test_a_step_looks_as_the_ledger_says() -> None:
    names = ("done", "busy", "again", "failed", "doubtful", "skipped", "planned")
    failure = FailedStep(kind=FailureKind.TIMED_OUT, summary="late", tries=1)
    ledger = Ledger(
        finished={"done": UUID(int=1)},
        failed={"failed": failure, "again": failure},
        skipped={"skipped": "it needs step 'failed'"},
        in_doubt=frozenset({"doubtful"}),
    )

    looks = looks_of(plan(*map(step, names)), ledger, {"busy", "again", "done"})

    assert looks == {
        "done": StepLook.COMPLETED,
        "busy": StepLook.RUNNING,
        "again": StepLook.RUNNING,
        "failed": StepLook.FAILED,
        "doubtful": StepLook.IN_DOUBT,
        "skipped": StepLook.SKIPPED,
        "planned": StepLook.PLANNED,
    }
