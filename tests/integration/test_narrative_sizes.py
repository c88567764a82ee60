"""The plan of a report says how much the writer can be told at most; no data set makes it more, none refuses itself."""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from blocks.claude import ClaudeEngine
from maos.metrics import DatasetProfile, Metrics
from maos.narrated_data import narrated_data
from maos.narrative import NARRATIVE
from maos.plans import Plan
from maos.report_parameters import AggregateParameters, NarrativeParameters, ProfileParameters
from maos.requests import GenerateReportRequest
from maos.tariffs import Tariff
from maos.writing import longest_form, spoken_as
from tasks.claude_cli import planned_ceilings
from tasks.reports import plan_report
from tasks.services.aggregate import aggregate_metrics
from tasks.services.profile import profile_data
from tasks.services.registry import RunFacts, ServiceCall
from tasks.writer import sent_bytes

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "generate_report" / "orders.csv"
RUN = RunFacts(
    run_id=UUID(int=7),
    org="demo",
    title="Sales",
    initiator="author@demo.example",
    started_at=datetime(2026, 1, 5, tzinfo=UTC),
    rehearsal=False,
    cost_usd=Decimal(0),
)
Row = dict[str, object]


@dataclass(frozen=True)
class Told:
    """What a plan promised, and what the writer would be told."""

    plan: Plan
    promised: int
    told: int


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Row]], Told]:
    """Plan a report over rows, compute its figures, and compare."""
    monkeypatch.setenv("MAOS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MAOS_DATASET_ROOTS", json.dumps([str(tmp_path)]))

    def compare(data: list[Row]) -> Told:
        text = StringIO()
        writer = csv.DictWriter(text, fieldnames=list(data[0]))
        writer.writeheader()
        writer.writerows(data)
        (tmp_path / "data.csv").write_text(text.getvalue(), encoding="utf-8", newline="")
        return _told("data.csv", tmp_path)

    return compare


def _told(dataset: str, folder: Path) -> Told:
    request = {"org": "demo", "initiator": "author@demo.example", "title": "Sales", "dataset": dataset}
    plan = plan_report(GenerateReportRequest.model_validate(request))
    asked = AggregateParameters.model_validate(plan.step("aggregate_metrics").parameters)
    profiled = profile_data(
        ServiceCall(ProfileParameters(dataset=dataset, digest=asked.digest), {}, folder, RUN, "key", 60.0)
    ).output
    figures = aggregate_metrics(ServiceCall(asked, {"profile": profiled}, folder, RUN, "key", 60.0)).output
    data = narrated_data(DatasetProfile.model_validate(profiled), Metrics.model_validate(figures))
    narrative = NarrativeParameters.model_validate(plan.step("write_narrative").parameters)
    _check_prompt(plan, narrative, {"profile": profiled, "metrics": figures})
    return Told(plan, narrative.most_data_bytes, len(data.encode()))


def _check_prompt(plan: Plan, asked: NarrativeParameters, inputs: dict[str, dict[str, object]]) -> None:
    """What surrounds the data, the schema and the longest rewrite are within the promise too."""
    persona = plan.step("write_narrative").agent.persona
    prompt = longest_form(spoken_as(persona, NARRATIVE.prompt(asked, inputs)))
    assert NARRATIVE.promised_bytes is not None
    assert sent_bytes(ClaudeEngine(), prompt) <= NARRATIVE.promised_bytes(asked) + len(f"{persona}\n\n".encode())


def _days(count: int, step: int) -> list[str]:
    return [(date(2019, 1, 31) + timedelta(days=step * number)).isoformat() for number in range(count)]


def _widest(count: int, step: int) -> list[Row]:
    """Thirteen values of sixty brackets in each dimension, no two days alike, all digits in every number."""
    days = _days(count, step)
    return [
        {
            "day": days[number],
            **{f"d{part}": "<" * 58 + f"{number % 13:02}" + "x" * 5000 for part in range(3)},
            **{f"m{part}": f"{'-' * (number % 2)}999999999999999999.987654321{number % 9 + 1}" for part in range(3)},
        }
        for number in range(count)
    ]


@pytest.mark.parametrize(("count", "step"), [(26, 1), (31, 1), (14, 400), (72, 31), (150, 61), (400, 30)])
def test_the_widest_data_are_within_what_the_plan_says(
    told: Callable[[list[Row]], Told], count: int, step: int
) -> None:
    found = told(_widest(count, step))

    assert found.told <= found.promised


def test_signs_that_cancel_out_make_huge_percentages_and_are_within_it(told: Callable[[list[Row]], Told]) -> None:
    days = _days(60, 15)
    data: list[Row] = [
        {"day": day, "side": "plus" if number % 2 else "minus", "net": f"{'' if number % 2 else '-'}{10**17}"}
        for number, day in enumerate(days)
    ]
    data[0]["net"] = f"-{10**17 - 1}.9999999999"
    found = told(data)

    assert found.told <= found.promised


@pytest.mark.parametrize("seed", range(6))
def test_random_data_are_within_it(told: Callable[[list[Row]], Told], seed: int) -> None:
    random = Random(seed)  # noqa: S311 - the same every time
    count, step = random.choice((20, 90, 300)), random.choice((1, 9, 40))
    days, labels = _days(count, step), ["Tea", "Kaffee, Größe", '"quoted" \\ 5', "<b>", "日本", "🙂" * 70, ""]
    data: list[Row] = [
        {
            "id": number,
            "day": random.choice((days[number], days[0], "soon" if number % 20 == 0 else days[number])),
            "product": random.choice(labels),
            "region": f"R{random.randrange(30)}",
            "revenue": random.choice((1, -3.5, 0.0001, 12345678.25, "n/a" if number % 30 == 0 else 7)),
            "units": random.randrange(5),
        }
        for number in range(count)
    ]
    found = told(data)

    assert found.told <= found.promised


def test_dirty_data_that_are_compared_are_within_it(told: Callable[[list[Row]], Told]) -> None:
    days = _days(400, 2)
    data: list[Row] = [
        {
            "day": f"{days[number][8:]}/{days[number][5:7]}/{days[number][:4]}" if number % 3 else days[number],
            "shop": "<" * 58 + f"{number % 40:02}",
            "paid": f"{'' if number % 2 else '-'}999.999.999.999.999.{number:03},{number + 100} €"
            if number % 9
            else "$ 1.5",
            "net": f"({number + 1},{number % 90 + 10})" if number % 11 else "n/a" + "<" * 90,
        }
        for number in range(400)
    ]
    found = told(data)

    assert found.told <= found.promised


def test_the_example_is_told_a_useful_ceiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAOS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tasks.claude_cli.writer_engine", ClaudeEngine)
    found = _told(str(EXAMPLE), tmp_path)
    ceilings = planned_ceilings(found.plan, Tariff(at=datetime(2026, 11, 20, tzinfo=UTC)), prose="")

    assert found.told <= found.promised
    # Four tries with a rewrite each; the prompt is at most what its data allow.
    assert ceilings["write_narrative"] < 2
