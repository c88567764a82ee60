"""`maos plan`: what a run would do, without a run."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.end_to_end.conftest import ROOT, Maos

PLAN = ("plan", "generate_report", "--request", "examples/generate_report/request.json")
ASKED = "owner or reviewer, not author@demo.example"


def test_a_plan_is_shown_and_nothing_is_started_or_stored(maos: Maos, tmp_path: Path) -> None:
    before = maos.rows("SELECT count(*) FROM orchestrator_runs")
    stored = set((maos.home / "datasets").rglob("*"))
    dataset = tmp_path / "orders.csv"
    dataset.write_bytes((ROOT / "examples" / "generate_report" / "orders.csv").read_bytes())

    shown = maos.run(*PLAN, "--param", f"dataset={dataset}")

    assert "publish_report" in shown
    assert "At most 0 USD in all, capped at 2 USD; semi_autonomous, rehearsed: the writer has no key." in shown
    assert maos.rows("SELECT count(*) FROM orchestrator_runs") == before
    assert set((maos.home / "datasets").rglob("*")) == stored


def test_a_plan_as_json_says_who_is_asked_and_what_it_costs(maos: Maos) -> None:
    found = maos.json(*PLAN)

    assert [step["step"] for step in found["steps"]] == [
        "profile_data",
        "aggregate_metrics",
        "draw_charts",
        "write_narrative",
        "publish_report",
    ]
    assert found["steps"][0]["approvers"] == ""
    assert found["steps"][4]["approvers"] == ASKED
    assert (found["autonomy"], found["rehearsal"], found["ceiling_usd"]) == ("semi_autonomous", True, "0")


def test_a_stricter_request_asks_for_every_step(maos: Maos) -> None:
    found = maos.json(*PLAN, "--param", "autonomy=supervised")

    assert {step["approvers"] for step in found["steps"]} == {ASKED}


def test_a_plan_is_drawn_in_three_forms(maos: Maos, tmp_path: Path) -> None:
    for suffix in ("svg", "png", "mmd"):
        maos.run(*PLAN, "--graph", str(tmp_path / f"plan.{suffix}"))
    printed = maos.run(*PLAN, "--graph", "-")

    drawn = ElementTree.fromstring((tmp_path / "plan.svg").read_text())  # noqa: S314 - our own drawing
    assert "publish_report" in "".join(drawn.itertext())
    assert (tmp_path / "plan.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "plan.mmd").read_text() == printed
    assert "step_write_narrative --> step_publish_report" in printed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--graph", "plan.jpg"), "'plan.jpg' is not accepted; allowed: a file that ends in .svg, .png, .mmd; or -"),
        (("--graph", "-", "--json"), "'-' is not accepted; allowed: a file, where JSON is printed"),
        (("--graph", "/no/such/folder/plan.svg"), "a file that can be written"),
        (("--org", "nowhere"), "org: 'nowhere' is not accepted"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(maos: Maos, arguments: tuple[str, ...], said: str) -> None:
    assert said in maos.run(*PLAN, *arguments, expect=2)
