"""The services of `generate_report` on real files: what they compute, draw and publish."""

import csv
import importlib.util
import io
import json
from collections import defaultdict
from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from maos.actions import JsonObject, StepOutcome
from maos.charts import ChartSet
from maos.datasets import choose_shape
from maos.errors import BadInput, EngineFailure
from maos.failures import FailureKind
from maos.metrics import DatasetProfile, Metrics
from maos.narrative import NARRATIVE
from maos.readings import Reading
from maos.report_parameters import (
    AggregateParameters,
    ChartParameters,
    NarrativeParameters,
    ProfileParameters,
    PublishParameters,
)
from maos.requests import GenerateReportRequest
from maos.settings import load_settings
from tasks.datasets import EXAMPLES, inspect_dataset
from tasks.services.aggregate import aggregate_metrics
from tasks.services.charts import draw_charts
from tasks.services.profile import profile_data
from tasks.services.publish import preview, publish_report
from tasks.services.registry import SERVICES, RunFacts, ServiceCall
from tests.service_runs import RUN

EXAMPLE = EXAMPLES / "generate_report"
# Key and time limit, which these services do not look at.
KEPT = ("maos-test", 60.0)
# Two months, a bad number, a missing region, a bad date, a row twice, a line that is no row.
SALES = """order_id,day,region,revenue,units
1,2024-01-05,North,100.10,1
2,2024-01-20,South,50,2
3,2024-02-01,North,n/a,3
4,2024-02-03,,25.25,4
5,soon,South,10,5
6,2024-02-28,North,200,6
6,2024-02-28,North,200,6
broken line
7,2024-02-29,East,0.15,
8,2024-02-29,North,4.50,1
9,2024-02-29,North,5,1
10,2024-02-29,North,5,1
11,2024-02-29,North,,1
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run's folder, beside a folder of data sets."""
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("MAOS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MAOS_DATASET_ROOTS", json.dumps([str(tmp_path / "data")]))
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def put(folder: Path, name: str, content: str) -> str:
    (folder.parent / "data" / name).write_text(content, encoding="utf-8", newline="")
    return name


def profiled(folder: Path, dataset: str) -> StepOutcome:
    digest = inspect_dataset(dataset, org="demo", settings=load_settings()).sha256
    return profile_data(ServiceCall(ProfileParameters(dataset=dataset, digest=digest), {}, folder, RUN, *KEPT))


def aggregated(
    folder: Path, dataset: str, *, compare: str | None = None, **asked: object
) -> tuple[DatasetProfile, Metrics]:
    profile = profiled(folder, dataset)
    facts = DatasetProfile.model_validate(profile.output).facts
    shape = choose_shape(facts, **asked)  # type: ignore[arg-type]
    parameters = AggregateParameters.model_validate(
        {"dataset": dataset, "digest": facts.sha256, "compare": compare, **shape.model_dump()}
    )
    outcome = aggregate_metrics(ServiceCall(parameters, {"profile": profile.output}, folder, RUN, *KEPT))
    return DatasetProfile.model_validate(profile.output), Metrics.model_validate(outcome.output)


def test_a_profile_counts_everything_that_is_wrong(folder: Path) -> None:
    profile = DatasetProfile.model_validate(profiled(folder, put(folder, "sales.csv", SALES)).output)

    assert (profile.facts.row_count, profile.facts.unreadable_rows) == (12, 1)
    assert (profile.duplicate_rows, profile.duplicates_dropped, profile.counted_rows) == (1, True, 11)
    assert [
        (each.name, each.kind.value, each.missing, each.unparsable, each.distinct) for each in profile.facts.columns
    ] == [
        ("order_id", "number", 0, 0, 11),
        ("day", "date", 0, 1, 7),
        ("region", "text", 1, 0, 3),
        ("revenue", "number", 1, 1, 9),
        ("units", "number", 1, 0, 6),
    ]


def test_the_figures_of_a_small_data_set_are_those_of_pen_and_paper(folder: Path) -> None:
    _, metrics = aggregated(
        folder, put(folder, "sales.csv", SALES), measures=["revenue", "units"], dimensions=["region"]
    )

    assert metrics.rows == 11
    assert [total.model_dump(mode="json") for total in metrics.totals] == [
        {
            "measure": "revenue",
            "sum": "400",
            "mean": "44.444444",
            "minimum": "0.15",
            "maximum": "200",
            "count": 9,
            "missing": 1,
            "unparsable": 1,
        },
        {
            "measure": "units",
            "sum": "25",
            "mean": "2.5",
            "minimum": "1",
            "maximum": "6",
            "count": 10,
            "missing": 1,
            "unparsable": 0,
        },
    ]
    (regions,) = metrics.breakdowns
    assert [
        (part.value, part.rows, *((str(each.sum), str(each.share)) for each in part.amounts)) for part in regions.slices
    ] == [
        ("North", 7, ("314.6", "78.65"), ("14", "56")),
        ("South", 2, ("60", "15"), ("7", "28")),
        ("East", 1, ("0.15", "0.04"), ("0", "0")),
    ]
    assert regions.unlabelled is not None
    assert (regions.unlabelled.rows, regions.unlabelled.amounts[0].sum) == (1, Decimal("25.25"))
    assert regions.rest is None
    assert metrics.trend is not None
    assert [
        (period.label, period.rows, str(period.movements[0].sum), str(period.movements[0].change))
        for period in metrics.trend.periods
    ] == [
        ("2024-01-05", 1, "100.1", "None"),
        ("2024-01-20", 1, "50", "None"),
        ("2024-02-01", 1, "0", "None"),
        ("2024-02-03", 1, "25.25", "None"),
        ("2024-02-28", 1, "200", "None"),
        ("2024-02-29", 5, "14.65", "-92.68"),
    ]
    assert metrics.trend.undated is not None
    assert (metrics.trend.undated.rows, metrics.trend.undated.amounts[0].sum) == (1, 10)


def test_repeated_rows_all_count_where_nothing_identifies_a_row(folder: Path) -> None:
    name = put(folder, "till.csv", "product,amount\n" + "Tea,2\n" * 5 + "Rum,3\n")

    profile, metrics = aggregated(folder, name)

    assert (profile.duplicate_rows, profile.duplicates_dropped) == (4, False)
    assert (metrics.rows, metrics.totals[0].sum) == (6, 13)


def test_values_beyond_the_list_are_added_up_as_the_rest(folder: Path) -> None:
    lines = [f"c{number:03d},{number}" for number in range(1, 101)]
    name = put(folder, "many.csv", "customer,amount\n" + "\n".join(lines) + "\n,7\n")

    _, metrics = aggregated(folder, name, dimensions=["customer"])

    (customers,) = metrics.breakdowns
    assert [part.value for part in customers.slices] == [f"c{number:03d}" for number in range(100, 88, -1)]
    assert customers.distinct == 100
    assert customers.rest is not None
    assert (customers.rest.rows, customers.rest.amounts[0].sum) == (88, sum(range(1, 89)))
    assert customers.unlabelled is not None
    assert customers.unlabelled.amounts[0].sum == 7


def test_a_column_of_dates_without_a_date_gives_no_trend(folder: Path) -> None:
    name = put(folder, "few.csv", "day,amount\n" + "2024-01-01,1\n" * 10)
    profile = profiled(folder, name)
    digest = DatasetProfile.model_validate(profile.output).facts.sha256
    parameters = AggregateParameters(dataset=name, digest=digest, measures=("amount",), period_column="amount")

    outcome = aggregate_metrics(ServiceCall(parameters, {"profile": profile.output}, folder, RUN, *KEPT))

    assert outcome.output["trend"] is None


@pytest.mark.parametrize("service", [profile_data, aggregate_metrics])
def test_data_that_changed_since_the_plan_was_made_are_refused(folder: Path, service: object) -> None:
    name = put(folder, "sales.csv", SALES)
    profile = profiled(folder, name)
    digest = DatasetProfile.model_validate(profile.output).facts.sha256
    put(folder, "sales.csv", SALES + "12,2024-02-29,North,1,1\n")
    calls = {
        profile_data: ServiceCall(ProfileParameters(dataset=name, digest=digest), {}, folder, RUN, *KEPT),
        aggregate_metrics: ServiceCall(
            AggregateParameters(dataset=name, digest=digest, measures=("revenue",)),
            {"profile": profile.output},
            folder,
            RUN,
            *KEPT,
        ),
    }

    with pytest.raises(EngineFailure, match="has changed since the plan was made") as failure:
        service(calls[service])  # type: ignore[operator, index]

    assert (failure.value.kind, failure.value.retryable) == (FailureKind.BAD_REQUEST, False)


def test_data_of_another_organisation_are_refused_in_a_step_too(folder: Path) -> None:
    store = load_settings().dataset_store / "other"
    store.mkdir(parents=True)
    (store / "sales.csv").write_text(SALES)
    parameters = ProfileParameters(dataset=str(store / "sales.csv"), digest="0" * 64)

    with pytest.raises(BadInput, match="a file under"):
        profile_data(ServiceCall(parameters, {}, folder, RUN, *KEPT))


# The example, recomputed without a query engine.


def example_rows() -> list[dict[str, str]]:
    with (EXAMPLE / "orders.csv").open(encoding="utf-8", newline="") as file:
        return list({tuple(row.values()): row for row in csv.DictReader(file)}.values())


def number(text: str) -> Decimal | None:
    try:
        # One order of the example is written with a decimal comma.
        return Decimal(text.replace(".", "").replace(",", ".") if "," in text else text)
    except ArithmeticError:
        return None


def month(text: str) -> str | None:
    try:
        return date.fromisoformat(text).isoformat()[:7]
    except ValueError:
        return None


def percent(part: Decimal, whole: Decimal) -> Decimal:
    return (part * 100 / whole).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def sums_by(rows: list[dict[str, str]], key: object, measure: str) -> dict[str | None, Decimal]:
    found: dict[str | None, Decimal] = defaultdict(Decimal)
    for row in rows:
        found[key(row)] += number(row[measure]) or 0  # type: ignore[operator]
    return found


def test_the_example_agrees_with_plain_arithmetic(folder: Path) -> None:
    asked = json.loads((EXAMPLE / "request.json").read_text())
    rows = example_rows()

    profile, metrics = aggregated(
        folder,
        str(EXAMPLE / "orders.csv"),
        measures=asked["measures"],
        dimensions=asked["dimensions"],
        period_column=asked["period_column"],
    )

    assert (metrics.rows, profile.counted_rows) == (len(rows), len(rows))
    for index, total in enumerate(metrics.totals):
        values = [value for row in rows if (value := number(row[total.measure])) is not None]
        assert (total.sum, total.count, total.minimum, total.maximum) == (
            sum(values),
            len(values),
            min(values),
            max(values),
        )
        assert total.mean == (sum(values) / len(values)).quantize(Decimal("0.000001"), rounding=ROUND_HALF_UP)
        assert total.missing == sum(not row[total.measure] for row in rows)
        assert total.unparsable == len(rows) - len(values) - total.missing
        for breakdown in metrics.breakdowns:
            expected = sums_by(rows, lambda row, name=breakdown.dimension: row[name] or None, total.measure)
            parts = [*breakdown.slices, *([breakdown.unlabelled] if breakdown.unlabelled else [])]
            assert breakdown.rest is None
            assert {part.value: part.amounts[index].sum for part in parts} == expected
            assert {part.value: part.amounts[index].share for part in parts} == {
                value: percent(each, total.sum) for value, each in expected.items()
            }
        assert metrics.trend is not None
        months = sums_by(rows, lambda row: month(row["order_date"]), total.measure)
        undated = months.pop(None)
        assert {period.label: period.movements[index].sum for period in metrics.trend.periods} == months
        assert metrics.trend.undated is not None
        assert metrics.trend.undated.amounts[index].sum == undated
        assert [period.movements[index].change for period in metrics.trend.periods[1:]] == [
            percent(months[label] - months[before], months[before])
            for before, label in zip(sorted(months), sorted(months)[1:], strict=False)
        ]
        years = {
            year: sum(each for label, each in months.items() if label and label[:4] == year)
            for year in ("2024", "2025")
        }
        assert {period.label: period.movements[index].sum for period in metrics.trend.years} == years


def test_the_example_has_the_dirt_of_a_real_file(folder: Path) -> None:
    profile = DatasetProfile.model_validate(profiled(folder, str(EXAMPLE / "orders.csv")).output)

    assert (profile.facts.row_count, profile.duplicate_rows, profile.duplicates_dropped) == (4149, 14, True)
    assert {each.name: (each.missing, each.unparsable) for each in profile.facts.columns if each.missing} == {
        "order_date": (1, 5),
        "region": (17, 0),
        "channel": (5, 0),
        "quantity": (1, 4),
        "revenue": (1, 4),
    }
    revenue = profile.facts.column("revenue")
    assert (revenue.reading, revenue.other_format, revenue.ambiguous) == (Reading(decimal="."), 1, 0)


def test_the_example_is_what_its_script_writes() -> None:
    spec = importlib.util.spec_from_file_location("make_orders", EXAMPLE / "make_orders.py")
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    target = io.StringIO(newline="")
    script.write(target)

    assert target.getvalue() == (EXAMPLE / "orders.csv").read_bytes().decode()


def test_the_request_of_the_example_is_a_request() -> None:
    request = GenerateReportRequest.model_validate_json((EXAMPLE / "request.json").read_text())

    assert (EXAMPLE / request.dataset).is_file()


# Charts and publication.


def drawn(folder: Path, metrics: Metrics) -> StepOutcome:
    return draw_charts(ServiceCall(ChartParameters(), {"metrics": metrics.model_dump(mode="json")}, folder, RUN, *KEPT))


def published(folder: Path, run: RunFacts = RUN, name: str = "sales.csv") -> ServiceCall[PublishParameters]:
    profile, metrics = aggregated(folder, name)
    inputs: dict[str, JsonObject] = {
        "profile": profile.model_dump(mode="json"),
        "metrics": metrics.model_dump(mode="json"),
    }
    charts = drawn(folder, metrics).output
    narrative = NARRATIVE.rehearse(NarrativeParameters(), inputs)
    everything = {**inputs, "charts": charts, "narrative": narrative}
    return ServiceCall(PublishParameters(title="Sales & more"), everything, folder, run, *KEPT)


def test_charts_are_files_of_the_run_and_always_the_same(folder: Path) -> None:
    _, metrics = aggregated(folder, put(folder, "sales.csv", SALES))

    first, second = drawn(folder, metrics), drawn(folder, metrics)

    assert first == second
    assert [file.name for file in first.artifacts] == [
        "charts/trend-1.svg",
        "charts/trend-1.png",
        "charts/trend-2.svg",
        "charts/trend-2.png",
        "charts/dimension-1.svg",
        "charts/dimension-1.png",
    ]
    for chart in ChartSet.model_validate(first.output).charts:
        assert chart.alt
        assert (folder / chart.png.name).read_bytes().startswith(b"\x89PNG")
        assert (folder / chart.svg.name).stat().st_size == chart.svg.size


@pytest.mark.filterwarnings("ignore:Glyph")
def test_labels_of_the_data_are_only_text_in_a_chart(folder: Path) -> None:
    labels = ["<script>alert(1)</script>", "$x^$ & co", "\u65e5\u672c", '"quoted" -->', "a\\b_{c}"]
    rows = "".join(f"{json.dumps({'label': label, 'amount': 1})}\n" for label in labels for _ in range(3))
    _, metrics = aggregated(folder, put(folder, "labels.jsonl", rows), dimensions=["label"])

    (chart,) = ChartSet.model_validate(drawn(folder, metrics).output).charts

    root = ElementTree.fromstring((folder / chart.svg.name).read_bytes())  # noqa: S314 - this project drew it
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert set(labels) <= texts
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


def test_a_report_is_published_once_however_often_it_is_asked_for(folder: Path) -> None:
    put(folder, "sales.csv", SALES)
    call = published(folder)

    first = publish_report(call)
    content = {file.name: (folder / file.name).read_bytes() for file in first.artifacts}
    second = publish_report(call)

    assert first == second
    assert {file.name: (folder / file.name).read_bytes() for file in second.artifacts} == content
    assert sorted(path.name for path in (folder / "published").iterdir()) == ["report.html", "report.md"]
    page = content["published/report.html"].decode()
    assert "Sales &amp; more" in page
    assert "REHEARSAL" in page
    assert str(RUN.run_id) in page
    assert page.count("<svg") == 3


def test_a_chart_that_changed_after_it_was_drawn_is_not_published(folder: Path) -> None:
    put(folder, "sales.csv", SALES)
    call = published(folder)
    (folder / "charts" / "trend-1.svg").write_text("<svg><script/></svg>")

    with pytest.raises(EngineFailure, match="has changed since it was made"):
        publish_report(call)
    assert not (folder / "published").exists()


def test_a_reviewer_sees_what_will_be_published_before_it_is(folder: Path) -> None:
    put(folder, "sales.csv", SALES)
    call = published(folder, replace(RUN, rehearsal=False))

    text = preview(call)

    assert "`published/report.html` and `published/report.md`" in text
    assert text.startswith("# Sales \\& more\n")
    assert "| Revenue | 400 | 44.44 | 0.15 | 200 | 9 |" in text
    assert not (folder / "published").exists()


def test_the_services_are_registered_with_their_risks_and_inputs() -> None:
    found = {
        name: (service.spec.risk.value, set(service.spec.inputs), service.spec.read_only)
        for name, service in SERVICES.items()
    }

    assert found["profile_data"] == ("low", set(), True)
    assert found["aggregate_metrics"] == ("low", {"profile"}, True)
    assert found["draw_charts"] == ("low", {"metrics"}, True)
    assert found["publish_report"] == ("high", {"profile", "metrics", "charts", "narrative"}, False)
    assert SERVICES["publish_report"].preview is preview
