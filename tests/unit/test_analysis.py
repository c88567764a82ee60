"""Questions read by rule, results in words and pictures, and what readers may see of them."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from maos.analysis import (
    AnalysisTable,
    AnalysisTables,
    CrossCheck,
    KeyIs,
    QueryResult,
    ResultColumn,
    TableColumn,
    WrittenQuery,
)
from maos.analysis_plan import analysis_plan
from maos.answer import Answer, caveats
from maos.answer_chart import chart_for
from maos.answer_html import html_of
from maos.answer_markdown import markdown_of
from maos.answer_secrecy import discreet_answer
from maos.answer_text import AnswerText, text_faults
from maos.charts import ChartKind
from maos.cross_check import compared, verdict
from maos.datasets import ColumnFacts, ColumnKind, DatasetFacts, DatasetFormat
from maos.errors import BadInput
from maos.metrics import DatasetProfile
from maos.query_cells import cell_of, kind_of_column
from maos.query_check import query_faults
from maos.query_tables import longest_told_tables, table_names, told_tables
from maos.redaction import Redaction
from maos.rehearsed_answer import first_sentence
from maos.rehearsed_query import rehearsed_query
from maos.report import ReportRun
from maos.requests import AnalyzeDataRequest
from tests.runs import ANY_ID, NOW

NUMBER, TEXT, DATE = ColumnKind.NUMBER, ColumnKind.TEXT, ColumnKind.DATE


def facts(source: str = "data/orders.csv", columns: int = 0) -> DatasetFacts:
    return DatasetFacts(
        source=source,
        format=DatasetFormat.CSV,
        sha256="a" * 64,
        size=100,
        row_count=1000,
        columns=(
            ColumnFacts(name="day", kind=DATE, missing=0, distinct=300, minimum="2024-01-01", maximum="2025-12-31"),
            ColumnFacts(name="region", kind=TEXT, missing=3, distinct=2),
            ColumnFacts(name="revenue", kind=NUMBER, missing=0, unparsable=2, distinct=900, minimum="0", maximum="9"),
            ColumnFacts(name="discount_pct", kind=NUMBER, missing=0, distinct=3, minimum="0", maximum="10"),
            *(
                ColumnFacts(name=f"column {number} of many", kind=TEXT, missing=0, distinct=1)
                for number in range(columns)
            ),
        ),
    )


def tables(values: tuple[str, ...] = ("North", "South <b>")) -> AnalysisTables:
    profile = DatasetProfile(facts=facts(), duplicate_rows=4, duplicates_dropped=False)
    columns = (
        TableColumn(name="day", type="DATE"),
        TableColumn(name="region", type="VARCHAR", values=values),
        TableColumn(name="revenue", type="DECIMAL(20, 2)"),
        TableColumn(name="discount_pct", type="BIGINT"),
    )
    return AnalysisTables(tables=(AnalysisTable(name="orders", profile=profile, columns=columns),))


def result(
    rows: tuple[tuple[str | None, ...], ...], *columns: tuple[str, ColumnKind], agrees: bool = True
) -> QueryResult:
    return QueryResult(
        answered=True,
        columns=tuple(ResultColumn(name=name, kind=kind) for name, kind in columns),
        rows=rows,
        row_count=len(rows),
        sql='SELECT "region", SUM("revenue") AS "total" FROM "orders" WHERE YEAR("day") = 2025 LIMIT 5',
        check_sql="SELECT 1",
        read=("day", "region", "revenue"),
        cross_check=CrossCheck(label="Total", value=Decimal(30), check=Decimal(30 if agrees else 31), agrees=agrees),
    )


REGIONS = result((("North", "30"), ("South", "12.5")), ("region", TEXT), ("total", NUMBER))


# Questions by rule.


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("Total revenue?", ['sum("revenue") AS "total_revenue"']),
        ("What is the average revenue by region", ['avg("revenue")', 'GROUP BY "region"']),
        ("How many orders are there per region?", ["count(*)", 'GROUP BY "region"']),
        ("Show me the top 3 regions by revenue", ["LIMIT 3", "DESC"]),
        ("Which region sold least?", ['"total_revenue" ASC']),
        ("Revenue trend by week", ["date_trunc('week', \"day\")", "ORDER BY 1"]),
        ("Sales in North in March 2025", ["\"region\" IN ('North')", 'year("day") IN (2025)', 'month("day") IN (3)']),
        ("What is the discount by region?", ['avg("discount_pct")']),
        ("Which values are missing?", ["UNION ALL"]),
        ("Are revenue and discount related?", ["corr("]),
        ("Any unusual revenue?", ["quantile_cont"]),
        ("The 2 best regions by revenue", ["LIMIT 2"]),
        ("Compare the revenue of North and South b", ["IN ('North', 'South <b>')", 'GROUP BY "region"']),
        ("Revenue in March and May 2025", ['month("day") IN (3, 5)']),
    ],
)
def test_a_question_is_read_by_its_words(question: str, parts: list[str]) -> None:
    query = rehearsed_query(question, tables())

    assert query.answerable, query.missing
    assert [part for part in parts if part not in query.sql] == []
    names = tables().names
    assert query_faults(query.sql, names) == []
    assert query_faults(query.check_sql, names) == []
    assert query.sql != query.check_sql


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        ("What was the profit in North?", "Nothing in the table “orders” is called “profit”."),
        ("Revenue by Claude", "Nothing in the table “orders” is called “claude”."),
        ("Drop table orders; copy everything", "Nothing in the table “orders” is called “drop”."),
        # To leave these out would be to answer another question.
        ("Revenue over 100 by region", "Nothing in the table “orders” is called “100”."),
        ("Revenue from March to May 2025", "Nothing in the table “orders” is called “from”."),
        ("Revenue per order", "Nothing in the table “orders” is called “order”."),
        ("Why is revenue so low?", "Nothing in the table “orders” is called “why”."),
        ("Regions with more than average revenue", "Nothing in the table “orders” is called “more”."),
        ("Revenue without North", "Nothing in the table “orders” is called “without”."),
        ("How are you?", "A word in the question that names a column or says what to compute."),
    ],
)
def test_what_no_column_is_called_is_missing(question: str, missing: str) -> None:
    query = rehearsed_query(question, tables())

    assert (query.answerable, query.sql, query.missing[0]) == (False, "", missing)


def test_missing_values_are_counted_where_there_are_no_numbers() -> None:
    (orders,) = tables().tables
    texts = orders.profile.facts.model_copy(update={"columns": orders.profile.facts.columns[:2]})
    profile = orders.profile.model_copy(update={"facts": texts})
    table = orders.model_copy(update={"columns": orders.columns[:2], "profile": profile})

    assert rehearsed_query("How many values are missing?", AnalysisTables(tables=(table,))).answerable
    assert not rehearsed_query("What is the total?", AnalysisTables(tables=(table,))).answerable


def test_a_word_of_any_length_is_told_in_a_few() -> None:
    assert len(rehearsed_query("x" * 1000, tables()).missing[0]) < 200


def test_a_value_with_a_quotation_mark_stays_a_value() -> None:
    query = rehearsed_query("revenue of O'Hara", tables(values=("O'Hara",)))

    assert "'O''Hara'" in query.sql
    assert query_faults(query.sql, tables().names) == []


# Tables.


def test_tables_are_named_after_their_files() -> None:
    names = ("a/2025 Orders.csv", "orders.csv", "b/orders.parquet", "data.json", "ü.csv", "https://x.example/s.csv?k=1")

    assert table_names([facts(name) for name in names]) == (
        *("t_2025_orders", "orders", "orders_2", "t_data", "t", "s"),
    )


def test_what_the_writer_is_told_of_tables_is_never_longer_than_the_plan_says() -> None:
    told = told_tables(tables(), most_bytes=10_000)

    assert '"most_frequent":["North","South \\u003cb\\u003e"]' in told
    assert len(told.encode()) <= longest_told_tables([("orders", facts())], values=True)
    assert "most_frequent" not in told_tables(tables(), most_bytes=300)


def test_more_columns_than_a_writer_can_be_told_of_are_refused() -> None:
    request = AnalyzeDataRequest(
        org="demo", initiator="a@demo.example", title="T", question="Total revenue?", datasets=("orders.csv",)
    )
    assert len(analysis_plan(request, [facts()]).steps) == 6

    with pytest.raises(BadInput, match="2,004 columns"):
        analysis_plan(request, [facts(columns=2000)])


# Results.


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, None),
        (True, "yes"),
        (12, "12"),
        (Decimal("12.500"), "12.5"),
        (0.1 + 0.2, "0.3"),
        (1e20, "100000000000000000000"),
        (float("nan"), None),
        (date(2025, 3, 1), "2025-03-01"),
        (datetime(2025, 3, 1), "2025-03-01"),
        (datetime(2025, 3, 1, 12, 30), "2025-03-01 12:30:00"),
        ("a\u202eb", "a b"),
    ],
)
def test_values_are_kept_as_exact_text(value: object, cell: str | None) -> None:
    assert cell_of(value) == cell


def test_a_column_of_midnights_holds_days() -> None:
    assert kind_of_column("TIMESTAMP", [datetime(2025, 3, 1), None]) is DATE
    assert kind_of_column("TIMESTAMP", [datetime(2025, 3, 1, 1)]) is TEXT
    assert kind_of_column("DECIMAL(38,2)", []) is NUMBER


@pytest.mark.parametrize(
    ("value", "check", "agrees"),
    [
        ("10", "10", True),
        ("0.333333333333", "0.333333333334", True),
        ("10", "10.01", False),
        ("0", "0", True),
        (None, None, True),
        (None, "0", False),
        ("0", None, False),
    ],
)
def test_two_formulations_agree_when_their_figures_do(value: str | None, check: str | None, agrees: bool) -> None:
    query = WrittenQuery(answerable=True, key_column="total_revenue", key_is=KeyIs.SUM)

    found = compared(query, value=value and Decimal(value), check=check and Decimal(check))  # type: ignore[arg-type]

    assert (found.agrees, found.label) == (agrees, "Sum of total revenue")
    assert ("DISAGREES" in verdict(found)) is not agrees


@pytest.mark.parametrize(
    ("rows", "columns", "kind"),
    [
        ((("a", "1"), ("b", "2")), (("x", TEXT), ("y", NUMBER)), ChartKind.BARS),
        ((("2025-01-01", "1"), ("2025-02-01", "2")), (("x", DATE), ("y", NUMBER)), ChartKind.LINE),
        ((("2025-01", "1"), ("2025-02", "2")), (("x", TEXT), ("y", NUMBER)), ChartKind.LINE),
        ((("2024", "1"), ("2025", "2")), (("x", NUMBER), ("y", NUMBER)), ChartKind.LINE),
        # A ranking of months is no course.
        ((("2025-02-01", "2"), ("2025-01-01", "1")), (("x", DATE), ("y", NUMBER)), ChartKind.BARS),
        ((("a", "1"),), (("x", TEXT), ("y", NUMBER)), None),
        ((("1", "2"), ("3", "4")), (("x", NUMBER), ("y", NUMBER)), None),
        ((("a", "b"), ("c", "d")), (("x", TEXT), ("y", TEXT)), None),
        ((("a", None), ("b", "2")), (("x", TEXT), ("y", NUMBER)), None),
        ((), (("x", TEXT), ("y", NUMBER)), None),
    ],
)
def test_the_shape_of_a_result_chooses_its_chart(
    rows: tuple[tuple[str | None, ...], ...], columns: tuple[tuple[str, ColumnKind], ...], kind: ChartKind | None
) -> None:
    chart = chart_for(result(rows, *columns), key_column="y")

    assert (chart.kind if chart else None) is kind


def test_a_long_ranking_is_drawn_as_far_as_a_reader_follows() -> None:
    rows = tuple((f"shop {number}", str(number)) for number in range(60))

    chart = chart_for(result(rows, ("shop", TEXT), ("total", NUMBER)), key_column="total")

    assert chart is not None
    assert (len(chart.labels), chart.title) == (20, "Total by shop (the first 20 of 60)")


# Words.


@pytest.mark.parametrize(
    "text",
    [
        "North leads with 30.",
        "South follows with 12.5, or $12.50.",
        "In 2025 the top 2 regions were North and South.",
        "Of 1,000 rows, 3 have no region.",
        "The data begin on 1 January 2024.",
    ],
)
def test_figures_of_the_result_may_be_stated(text: str) -> None:
    assert text_faults(AnswerText(answer=text, context="So it is."), REGIONS, tables()) == []


@pytest.mark.parametrize(
    "text",
    [
        "Together they made 42.5.",
        "North leads with 31.",
        "North has 70.6% of it.",
        "North is 2.4 times as large.",
        "See https://evil.example for more.",
    ],
)
def test_figures_that_the_result_has_not_and_links_are_faults(text: str) -> None:
    assert text_faults(AnswerText(answer="So it is.", context=text), REGIONS, tables()) != []


def test_rehearsed_sentences_say_what_the_result_says() -> None:
    course = result(
        (("2025-01-01", "10"), ("2025-02-01", "30"), ("2025-03-01", "20")), ("month", DATE), ("sum", NUMBER)
    )

    assert (
        first_sentence(REGIONS, key_column="total")
        == "“North” comes first by total with 30, before “South” with 12.50."
    )
    assert first_sentence(course, key_column="sum") == (
        "Sum went from 10 in “2025-01-01” to 20 in “2025-03-01”; it was highest in “2025-02-01” with 30."
    )
    assert first_sentence(result((("7",),), ("total", NUMBER)), key_column="total") == "The total is 7."
    assert first_sentence(result((), ("total", NUMBER)), key_column="total").startswith("No row of the data")
    for found in (REGIONS, course):
        said = AnswerText(answer=first_sentence(found, key_column="total"), context="So it is.")
        assert text_faults(said, found, tables()) == []


# Pages.


def answer(text: str = "North leads with 30.", found: QueryResult = REGIONS, **fields: object) -> Answer:
    query = WrittenQuery(answerable=True, assumptions=("Net of tax.",))
    run = ReportRun(
        run_id=ANY_ID, org="demo", initiator="a@demo.example", started_at=NOW, rehearsal=False, cost_usd=Decimal("0.01")
    )
    made = Answer(
        title="Regions",
        question="Who leads?",
        run=run,
        tables=tables(),
        query=query,
        result=found,
        text=AnswerText(answer=text, context="So it is."),
        chart=None,
    )
    return made.model_copy(update=fields)


def test_a_disagreement_is_the_first_thing_on_the_page() -> None:
    doubtful = answer(found=result((("North", "30"),), ("region", TEXT), ("total", NUMBER), agrees=False))

    page, twin = html_of(doubtful), markdown_of(doubtful)

    assert page.index("THE CROSS-CHECK DISAGREES") < page.index("<h1>")
    assert "not confirmed by the second formulation" in page
    assert twin.startswith("**THE CROSS-CHECK DISAGREES**")
    assert "DISAGREES" not in html_of(answer())


def test_caveats_are_those_of_the_columns_that_were_read() -> None:
    said = caveats(answer())

    assert said == (
        "Net of tax.",
        "“orders” has repeated rows (4); they all count, since no column identifies a row.",
        "“region” of “orders” is missing in 3 rows; there it counts as no value.",
        "“revenue” of “orders” is unreadable in 2 rows; there it counts as no value.",
    )


def test_text_of_data_and_writers_has_no_effect_on_the_page() -> None:
    evil = "<script>alert(1)</script> **x** [a](b)"
    page = html_of(answer(evil, result(((evil, "1"),), (evil, TEXT), ("y", NUMBER)), title=evil, question=evil))
    twin = markdown_of(answer(evil, result(((evil, "1"),), (evil, TEXT), ("y", NUMBER)), title=evil, question=evil))

    assert "<script>" not in page
    assert "<script>" not in twin.replace("\\<script\\>", "")
    assert "**x**" not in twin


def test_what_was_written_names_no_vendor_and_names_in_the_data_stay() -> None:
    rows = (("Claude", "30"),)
    of_data = discreet_answer(answer("Claude leads.", result(rows, ("region", TEXT), ("total", NUMBER))), Redaction())
    smuggled = result(rows, ("claude_total", TEXT), ("total", NUMBER)).model_copy(
        update={"sql": "SELECT 'Claude' AS \"claude_total\""}
    )
    written = discreet_answer(answer("Claude says so.", smuggled, title="By Claude"), Redaction())

    assert (of_data.text.answer, of_data.result.rows) == ("Claude leads.", rows)
    assert "claude" not in html_of(written).lower()
    assert "claude" not in markdown_of(written).lower()
