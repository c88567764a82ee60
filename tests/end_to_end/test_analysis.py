"""A question through its deployment: planned, queried, cross-checked, presented and accounted for."""

import csv
import hashlib
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.end_to_end.conftest import ROOT, Maos

REQUEST = "examples/analyze_data/request.json"
STEPS = ["draw_answer", "present_answer", "profile_tables", "run_query", "write_answer", "write_query"]


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.cells: list[str] = []
        self.text = ""
        self._tag = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._tag = tag
        assert not [value for name, value in attrs if name in {"src", "href"} and str(value).startswith("http")]

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._tag in {"td", "th"} and data.strip():
            self.cells.append(data)


def _ask(maos: Maos, *arguments: str) -> str:
    return maos.run("run", "analyze_data", "--request", REQUEST, "--wait", *arguments).split()[0]


def _leading_region() -> tuple[str, Decimal]:
    totals: dict[str, Decimal] = {}
    with (ROOT / "examples" / "generate_report" / "orders.csv").open(encoding="utf-8", newline="") as file:
        # A row that is there twice has the same number twice.
        for row in {row["order_id"]: row for row in csv.DictReader(file)}.values():
            in_2025 = row["order_date"].startswith("2025-") and row["order_date"] != "2025-02-30"
            if in_2025 and row["region"] and row["revenue"].replace(".", "", 1).isdigit():
                totals[row["region"]] = totals.get(row["region"], Decimal(0)) + Decimal(row["revenue"])
    return max(totals.items(), key=lambda each: each[1])


def test_the_example_is_answered_with_a_page_whose_figures_are_those_of_the_file(maos: Maos) -> None:
    run_id = _ask(maos)

    shown = maos.json("runs", "show", run_id)
    assert shown["status"] == "completed"
    assert sorted(row["step_id"] for row in shown["invocations"]) == STEPS
    assert {(row["status"], row["attempt"]) for row in shown["invocations"]} == {("completed", 1)}
    assert maos.rows(f"SELECT sum(cost_usd) FROM agent_invocations WHERE run_id = '{run_id}'") == [(0,)]

    presented = shown["result"]["present_answer"]
    region, revenue = _leading_region()
    assert presented["answered"] is True
    assert Decimal(presented["key_figure"]["value"]) == revenue
    assert presented["key_figure"]["agrees"] is True
    assert presented["answer"].startswith(f"“{region}” comes first by total revenue with")
    path = maos.home / "artifacts" / "demo" / run_id / presented["page"]["name"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == presented["page"]["sha256"]
    page = _Page(path.read_text())
    assert page.cells[:4] == ["Region", "Total revenue", region, f"{revenue:,.2f}"]
    assert {"svg", "pre", "table"} <= page.tags
    assert "script" not in page.tags
    assert "REHEARSAL" in page.text
    assert run_id in page.text
    assert path.with_name("answer.md").is_file()
    assert "the chain holds" in maos.run("audit", "verify")


def test_a_question_that_the_data_cannot_answer_is_answered_by_what_is_missing(maos: Maos) -> None:
    run_id = _ask(maos, "--param", "question=What was the profit of each salesperson?")

    presented = maos.json("runs", "show", run_id)["result"]["present_answer"]
    assert presented["answered"] is False
    assert presented["sql"] == ""
    assert ["profit" in presented["missing"][0], "salesperson" in presented["missing"][1]] == [True, True]


def test_data_sets_of_the_user_are_copied_to_where_runs_may_read(maos: Maos, tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("day,shop,sales\n2026-01-01,north,10\n2026-01-02,south,20\n")
    (tmp_path / "shops.csv").write_text("shop,city\nnorth,Here\nsouth,There\n")
    names = f"datasets={tmp_path / 'sales.csv'},{tmp_path / 'shops.csv'}"

    run_id = _ask(maos, "--param", names, "--param", "question=Total sales by shop")

    shown = maos.json("runs", "show", run_id)
    assert shown["result"]["present_answer"]["answer"].startswith("“south” comes first")
    ((plan,),) = maos.rows(f"SELECT plan FROM orchestrator_runs WHERE id = '{run_id}'")
    tables = plan["steps"][0]["parameters"]["tables"]
    assert [table["name"] for table in tables] == ["sales", "shops"]
    assert all(table["dataset"].startswith(str(maos.home / "datasets" / "demo")) for table in tables)


@pytest.mark.parametrize(
    ("argument", "named"),
    [
        ("question=?", "question: '?' is not accepted; allowed: "),
        ("datasets=/nowhere.csv", "dataset: '/nowhere.csv' is not accepted; allowed: "),
        ("datasets=[]", "datasets: '[]' is not accepted; allowed: "),
        ("query_seconds=0", "query_seconds: '0' is not accepted; allowed: "),
        ("sql=SELECT 1", "sql: 'SELECT 1' is not accepted; allowed: one of the fields org, "),
    ],
)
def test_bad_input_is_refused_in_one_line_and_nothing_is_created(maos: Maos, argument: str, named: str) -> None:
    before = maos.rows("SELECT count(*) FROM orchestrator_runs")

    said = maos.run("run", "analyze_data", "--request", REQUEST, "--param", argument, expect=2)

    assert said.startswith(f"maos: {named}")
    assert said.count("\n") == 1
    assert maos.rows("SELECT count(*) FROM orchestrator_runs") == before
