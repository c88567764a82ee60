"""Several files are one data set: matched by the names of their columns, pinned and counted one by one."""

import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import xlsxwriter

from console.datasets import with_stored_dataset
from maos.dataset_notes import digest_note, source_note
from maos.errors import BadInput, EngineFailure
from maos.metrics import DatasetProfile, Metrics
from maos.narrated_data import narrated_data
from maos.plans import Plan
from maos.report_parameters import AggregateParameters, ProfileParameters
from maos.requests import GenerateReportRequest
from maos.settings import load_settings
from tasks.reports import plan_report
from tasks.services.aggregate import aggregate_metrics
from tasks.services.profile import profile_data
from tasks.services.registry import ServiceCall
from tests.service_runs import RUN

KEPT = ("maos-test", 60.0)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of data sets: four months in four formats, the columns each time in another order."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("MAOS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MAOS_DATASET_ROOTS", json.dumps([str(folder)]))
    (folder / "jan.csv").write_text(
        "order_id,day,region,revenue\n1,2024-01-05,North,100\n2,2024-01-06,South,0.5\nbroken\n", encoding="utf-8"
    )
    duckdb.sql("SELECT 'North' AS region, DATE '2024-02-05' AS day, 20.25 AS revenue, 3 AS order_id").write_parquet(
        str(folder / "feb.parquet")
    )
    record = {"revenue": 7, "order_id": 4, "day": "2024-03-05", "region": "South"}
    (folder / "mar.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
    with xlsxwriter.Workbook(folder / "apr.xlsx") as book:
        sheet = book.add_worksheet("April")
        sheet.write_row(0, 0, ["day", "order_id", "region", "revenue"])
        sheet.write_row(1, 0, ["2024-04-05", 5, "West", 1000])
        # The same row as in January's file.
        sheet.write_row(2, 0, ["2024-01-05", 1, "North", 100])
    return folder


FURTHER = ("feb.parquet", "mar.jsonl", "apr.xlsx")


def request(**fields: object) -> GenerateReportRequest:
    given = {
        "org": "demo",
        "initiator": "author@demo.example",
        "title": "Sales",
        "dataset": "jan.csv",
        "further_datasets": FURTHER,
        **fields,
    }
    return GenerateReportRequest.model_validate(given)


def run_steps(plan: Plan, folder: Path) -> tuple[DatasetProfile, Metrics]:
    steps = {step.id: step.parameters for step in plan.steps}
    profiled = profile_data(
        ServiceCall(ProfileParameters.model_validate(steps["profile_data"]), {}, folder, RUN, *KEPT)
    ).output
    asked = AggregateParameters.model_validate(steps["aggregate_metrics"])
    metrics = aggregate_metrics(ServiceCall(asked, {"profile": profiled}, folder, RUN, *KEPT)).output
    return DatasetProfile.model_validate(profiled), Metrics.model_validate(metrics)


def refused(**fields: object) -> BadInput:
    with pytest.raises(BadInput) as error:
        plan_report(request(**fields))
    return error.value


@pytest.mark.usefixtures("data")
def test_rows_of_all_files_are_added_up_whatever_their_format_and_order_of_columns(tmp_path: Path) -> None:
    profile, metrics = run_steps(plan_report(request()), tmp_path / "run")

    assert (profile.facts.row_count, profile.facts.unreadable_rows) == (6, 1)
    # The row that two files have is one row twice.
    assert (profile.duplicate_rows, profile.duplicates_dropped, metrics.rows) == (1, True, 5)
    assert [(total.measure, total.sum) for total in metrics.totals] == [("revenue", Decimal("1127.75"))]
    (regions,) = metrics.breakdowns
    assert {part.value: (part.rows, part.amounts[0].sum) for part in regions.slices} == {
        "West": (1, Decimal(1000)),
        "North": (2, Decimal("120.25")),
        "South": (2, Decimal("7.5")),
    }
    assert metrics.trend
    assert (str(metrics.trend.first), str(metrics.trend.last)) == ("2024-01-05", "2024-04-05")


def test_the_methods_note_counts_the_rows_of_each_file(data: Path, tmp_path: Path) -> None:
    profile, metrics = run_steps(plan_report(request()), tmp_path / "run")

    sizes = {name: (data / name).stat().st_size for name in ("jan.csv", *FURTHER)}
    assert source_note(profile.facts).split("; ") == [
        f"jan.csv (CSV, {sizes['jan.csv']:,} bytes): 2 rows, 1 unreadable lines",
        f"feb.parquet (PARQUET, {sizes['feb.parquet']:,} bytes): 1 rows",
        f"mar.jsonl (JSON, {sizes['mar.jsonl']:,} bytes): 1 rows",
        f"apr.xlsx, sheet “April” from row 1 (EXCEL, {sizes['apr.xlsx']:,} bytes): 2 rows",
    ]
    assert profile.facts.display_name == "jan.csv and 3 more"
    assert profile.facts.size == sum(sizes.values())
    assert digest_note(profile.facts).count(", ") == 3
    # The writer is told neither of folders nor of digests.
    assert profile.facts.files[1].sha256 not in narrated_data(profile, metrics)


def test_each_file_is_pinned_in_the_plan(data: Path, tmp_path: Path) -> None:
    plan = plan_report(request())
    (data / "mar.jsonl").write_text('{"revenue": 8, "order_id": 4, "day": "2024-03-05", "region": "South"}\n')

    with pytest.raises(EngineFailure, match="the data set has changed since the plan was made"):
        run_steps(plan, tmp_path / "run")


def test_a_file_with_other_columns_is_refused_by_name(data: Path) -> None:
    (data / "may.csv").write_text("order_id,day,Region,revenue,note\n6,2024-05-05,West,1,x\n")

    error = refused(further_datasets=("feb.parquet", "may.csv"))

    assert (error.field, error.value) == ("further_datasets", "may.csv")
    assert error.allowed == "a file with the columns of jan.csv (it lacks region; it has Region, note)"


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("dataset", ["missing.csv", "/etc/passwd", "../home/datasets/other/sales.csv"])
def test_a_further_file_out_of_reach_is_refused_in_its_field(dataset: str) -> None:
    error = refused(further_datasets=(dataset,))

    assert (error.field, error.value) == ("further_datasets", dataset)


def test_a_file_that_is_there_twice_is_refused_under_any_name(data: Path) -> None:
    (data / "copy.csv").write_bytes((data / "jan.csv").read_bytes())

    for again in ("jan.csv", str(data / "jan.csv"), "copy.csv"):
        error = refused(further_datasets=("feb.parquet", again))
        assert (error.field, error.value, error.allowed[:14]) == ("further_datasets", again, "each file once")


def test_two_sheets_of_a_workbook_are_two_files(data: Path, tmp_path: Path) -> None:
    with xlsxwriter.Workbook(data / "year.xlsx") as book:
        for number, name in enumerate(("H1", "H2"), start=1):
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, ["region", "revenue"])
            sheet.write_row(1, 0, ["North", number * 10])

    plan = plan_report(request(dataset="year.xlsx#H1", further_datasets=("year.xlsx#H2",)))

    _, metrics = run_steps(plan, tmp_path / "run")
    assert metrics.totals[0].sum == Decimal(30)


def test_a_file_without_rows_adds_none_but_all_of_them_must_have_some(data: Path) -> None:
    (data / "none.csv").write_text("order_id,day,region,revenue\n")
    (data / "neither.csv").write_text("region,order_id,day,revenue\n")

    assert plan_report(request(further_datasets=("none.csv",)))
    error = refused(dataset="none.csv", further_datasets=("neither.csv",))
    assert "with at least one row" in error.allowed


def test_files_of_this_machine_are_copied_into_the_store_together(data: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for name in ("jan.csv", "apr.xlsx"):
        (data / name).rename(tmp_path / "mine" / name)
    mine = tmp_path / "mine"
    given = request(dataset=str(mine / "jan.csv"), further_datasets=(f"{mine / 'apr.xlsx'}#April", "feb.parquet"))

    stored = with_stored_dataset(given)

    store = load_settings().dataset_store / "demo"
    assert Path(stored.dataset).is_relative_to(store)  # type: ignore[attr-defined]
    first, second = stored.further_datasets  # type: ignore[attr-defined]
    assert first.startswith(str(store))
    assert first.endswith("/apr.xlsx#April")
    assert second == "feb.parquet"
    assert plan_report(GenerateReportRequest.model_validate(stored.model_dump()))


@pytest.mark.usefixtures("data")
def test_nothing_is_copied_where_the_files_do_not_fit_together(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")

    with pytest.raises(BadInput, match="it lacks order_id, day, region, revenue; it has a, b"):
        with_stored_dataset(request(further_datasets=(str(other),)))
    assert not (load_settings().dataset_store / "demo").exists()
