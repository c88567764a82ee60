"""The services of `analyze_data` on real files: questions by rule, cross-checks, charts and pages."""

import json
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from maos.analysis import KeyIs, QueryResult, WrittenQuery
from maos.errors import BadInput, EngineFailure
from maos.failures import FailureKind
from tasks.datasets import EXAMPLES
from tests.analyses import Analysis

ORDERS = str(EXAMPLES / "generate_report" / "orders.csv")
# A row twice, a bad number, a missing region, a bad date, an outlier.
SALES = """order_id,day,region,is_online,revenue,units
1,2024-01-05,North,yes,100.10,1
2,2024-01-20,South,no,50,2
3,2024-02-01,North,yes,n/a,3
4,2024-02-03,,no,25.25,4
5,soon,South,yes,10,5
6,2024-02-28,North,no,200,6
6,2024-02-28,North,no,200,6
7,2024-02-29,East,no,0.15,
8,2025-01-09,North,yes,4.50,1
9,2025-02-09,North,yes,5000,1
"""


class Page(HTMLParser):
    """The texts of a page by the tag that they stand in, and its cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self._cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [value for name, value in attrs if name in {"src", "href"} and str(value).startswith("http")]
        if tag == "tr":
            self.rows.append([])
        self._cell = tag in {"td", "th"}
        if self._cell:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in {"td", "th"}

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell:
            self.rows[-1][-1] += data


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of data sets, which the organisation may read, beside the folder of a run."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sales.csv").write_text(SALES)
    monkeypatch.setenv("MAOS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MAOS_DATASET_ROOTS", json.dumps([str(tmp_path / "data")]))
    (tmp_path / "run").mkdir()
    return tmp_path / "data"


def asked(data: Path, question: str, *datasets: str) -> Analysis:
    return Analysis(data.parent / "run", question, datasets or ("sales.csv",))


@pytest.mark.parametrize(
    ("question", "columns", "rows"),
    [
        (
            "What is the total revenue?",
            ["total_revenue", "smallest", "largest", "rows_with_a_number"],
            [("5390", "0.15", "5000", "8")],
        ),
        ("How many sales are there?", ["number_of_sales"], [("9",)]),
        (
            "Total revenue by region",
            ["region", "total_revenue"],
            [("North", "5304.6"), ("South", "60"), (None, "25.25"), ("East", "0.15")],
        ),
        ("What are the top 2 regions by units?", ["region", "total_units"], [("North", "12"), ("South", "7")]),
        ("Which region has the least revenue?", ["region", "total_revenue"], None),
        (
            "How did revenue develop per month in 2024?",
            ["month", "total_revenue"],
            [("2024-01-01", "150.1"), ("2024-02-01", "225.4")],
        ),
        ("What was the revenue in North in February 2024?", ["total_revenue"], None),
        ("How many values are missing?", ["column", "missing_or_unreadable"], None),
        ("Are there outliers in revenue?", ["order_id", "day", "region", "is_online", "units", "revenue"], None),
        ("Is there a correlation between revenue and units?", ["pair", "correlation", "rows"], None),
        ("What is the average revenue by region?", ["region", "average_revenue"], None),
        ("How many sales per region?", ["region", "number_of_sales"], None),
        ("Revenue by quarter", ["quarter", "total_revenue"], None),
    ],
)
def test_a_question_is_answered_by_rule_and_both_formulations_agree(
    data: Path, question: str, columns: list[str], rows: list[tuple[str | None, ...]] | None
) -> None:
    result = asked(data, question).run()

    assert result.answered
    assert [column.name for column in result.columns][: len(columns)] == columns
    assert rows is None or list(result.rows) == rows
    assert result.cross_check is not None
    assert result.cross_check.value is not None
    assert result.cross_check.agrees, result.cross_check


def test_figures_of_a_rehearsal_are_those_of_pen_and_paper(data: Path) -> None:
    found = {
        question: asked(data, question).run().rows
        for question in (
            "What was the revenue in North in February 2024?",
            "How many values are missing?",
            "Are there outliers in revenue?",
            "Which region has the least revenue?",
        )
    }

    filtered, missing, outliers, least = found.values()
    assert filtered[0][0] == "200"
    assert dict(missing) == {
        "day": "1",
        "region": "1",
        "revenue": "1",
        "units": "1",
        "order_id": "0",
        "is_online": "0",
    }
    assert [row[0] for row in outliers] == ["9"]
    assert least[0] == ("East", "0.15")


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        ("What was the profit margin by customer age?", ["profit", "margin", "customer", "age"]),
        ("Total revenue by salesperson", ["salesperson"]),
        ("Show me", ["A word in the question"]),
    ],
)
def test_what_the_data_cannot_answer_is_refused_and_said(data: Path, question: str, missing: list[str]) -> None:
    analysis = asked(data, question)
    result = analysis.run()
    presented = analysis.finish().output

    query = WrittenQuery.model_validate(analysis.outputs["write_query"])
    assert (query.answerable, query.sql, result.answered, result.rows) == (False, "", False, ())
    assert all(word in " ".join(presented["missing"]) for word in missing)
    page = Page((analysis.folder / presented["page"]["name"]).read_text())
    assert "The data cannot answer the question." in page.text
    assert all(word in page.text for word in missing)
    assert "svg" not in page.tags
    assert page.rows == []


def test_a_trend_without_dates_and_a_figure_without_numbers_are_refused(data: Path) -> None:
    (data / "names.csv").write_text("name,city\nann,here\nbob,there\n")

    query = asked(data, "What is the trend per month?", "names.csv")
    assert query.run().answered is False
    assert "A column of numbers" in str(query.outputs["write_query"]["missing"])


def test_a_second_formulation_that_disagrees_is_shown_on_the_page(data: Path) -> None:
    query = WrittenQuery(
        answerable=True,
        sql="SELECT region, sum(revenue) AS total FROM sales GROUP BY region ORDER BY total DESC",
        check_sql="SELECT sum(revenue) + 1 FROM sales WHERE region IS NOT NULL",
        key_is=KeyIs.SUM,
        key_column="total",
    )
    analysis = asked(data, "Revenue by region")

    result = analysis.run(query)
    presented = analysis.finish().output

    assert result.cross_check is not None
    assert (result.cross_check.value, result.cross_check.check, result.cross_check.agrees) == (
        Decimal("5390"),
        Decimal("5365.75"),
        False,
    )
    page = (analysis.folder / presented["page"]["name"]).read_text()
    assert "THE CROSS-CHECK DISAGREES" in Page(page).text
    assert "5,365.75" in Page(page).text
    assert "THE CROSS-CHECK DISAGREES" in (analysis.folder / presented["twin"]["name"]).read_text()
    assert "unproven" in presented["context"]


def test_the_page_has_answer_figures_chart_queries_and_caveats(data: Path) -> None:
    analysis = asked(data, "What are the top 2 regions by revenue?")
    analysis.run()

    presented = analysis.finish().output

    page = Page((analysis.folder / presented["page"]["name"]).read_text())
    assert page.rows == [["Region", "Total revenue"], ["North", "5,304.60"], ["South", "60"]]
    assert presented["answer"] == "“North” comes first by total revenue with 5,305, before “South” with 60."
    assert presented["key_figure"]["agrees"] is True
    assert {"svg", "pre", "h1"} <= set(page.tags)
    assert "script" not in page.tags
    for text in (
        presented["answer"],
        "REHEARSAL",
        'SUM("revenue")',
        "“sales” has repeated rows (1); they count once.",
        "“revenue” of “sales” is unreadable in 1 row; there",
        "A second formulation of the question gave the same key figure: 5,304.60.",
    ):
        assert text in page.text
    assert (analysis.folder / "charts" / "answer-chart.png").read_bytes().startswith(b"\x89PNG")


def test_doing_it_twice_writes_the_same_bytes(data: Path) -> None:
    pages = []
    for _ in range(2):
        analysis = asked(data, "Revenue by month")
        analysis.run()
        pages.append(analysis.finish().output)

    assert pages[0] == pages[1]


def test_several_tables_are_joined_and_keep_their_names(data: Path) -> None:
    (data / "2025 Shops.csv").write_text("region,manager\nNorth,Ann\nSouth,Bob\n")
    (data / "data.json").write_text('[{"region": "North", "goal": 1000.5}, {"region": "South", "goal": 70}]')
    analysis = asked(data, "Who is over the goal?", "sales.csv", "2025 Shops.csv", "data.json")
    query = WrittenQuery(
        answerable=True,
        sql=(
            "SELECT manager, sum(revenue) AS total, max(goal) AS goal FROM sales JOIN t_2025_shops USING (region)"
            " JOIN t_data USING (region) GROUP BY manager ORDER BY total DESC"
        ),
        check_sql="SELECT sum(revenue) FROM sales WHERE region = 'North'",
        key_column="total",
    )

    result = analysis.run(query)

    assert list(result.rows) == [("Ann", "5304.6", "1000.5"), ("Bob", "60", "70")]
    assert result.cross_check is not None
    assert result.cross_check.agrees


def test_columns_have_the_types_of_their_values(data: Path) -> None:
    (table,) = asked(data, "How many?").tables().tables

    assert [(column.name, column.type) for column in table.columns] == [
        ("order_id", "BIGINT"),
        ("day", "DATE"),
        ("region", "VARCHAR"),
        ("is_online", "BOOLEAN"),
        ("revenue", "DECIMAL(20, 2)"),
        ("units", "BIGINT"),
    ]
    assert table.columns[2].values == ("North", "South", "East")


def test_a_query_that_fails_while_it_runs_fails_the_step_with_its_reason(data: Path) -> None:
    query = WrittenQuery(
        answerable=True,
        sql="SELECT sum(CAST(region AS INTEGER)) AS total FROM sales",
        check_sql="SELECT 1 AS x",
        key_column="total",
    )

    with pytest.raises(EngineFailure, match=r"the query cannot be run: .*Could not convert") as failure:
        asked(data, "Total?").run(query)

    assert (failure.value.kind, failure.value.retryable) == (FailureKind.BAD_REQUEST, False)


def test_data_that_changed_since_the_plan_was_made_are_refused(data: Path) -> None:
    analysis = asked(data, "What is the total revenue?")
    analysis.tables()
    analysis.rehearse("write_query")
    (data / "sales.csv").write_text(SALES + "10,2025-02-10,North,no,1,1\n")

    with pytest.raises(EngineFailure, match="has changed since the plan was made"):
        analysis.do("run_query")


def test_a_data_set_that_cannot_be_read_is_refused_with_the_plan(data: Path) -> None:
    with pytest.raises(BadInput, match="a file that exists"):
        asked(data, "What is the total?", "nowhere.csv")


def test_the_example_is_answered_with_the_figures_of_its_file(data: Path) -> None:
    import csv
    from collections import defaultdict

    analysis = asked(data, "Which region had the most revenue in 2025?", ORDERS)
    result = analysis.run()

    totals: dict[str, Decimal] = defaultdict(Decimal)
    with Path(ORDERS).open(encoding="utf-8", newline="") as file:
        for row in {tuple(row.items()) for row in csv.DictReader(file)}:
            order = dict(row)
            if order["order_date"].startswith("2025-") and order["order_date"] != "2025-02-30" and order["region"]:
                totals[order["region"]] += _number(order["revenue"])
    expected = sorted(((name, total.normalize()) for name, total in totals.items()), key=lambda each: -each[1])
    assert [(name, Decimal(total or 0).normalize()) for name, total in result.rows] == expected
    assert isinstance(result, QueryResult)


def _number(text: str) -> Decimal:
    try:
        return Decimal(text.replace(".", "").replace(",", ".") if "," in text else text)
    except ArithmeticError:
        return Decimal(0)
