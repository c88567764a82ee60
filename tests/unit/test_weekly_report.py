"""The weekly report is scheduled, switched off until it has a request, and its example is one that runs."""

from pathlib import Path
from typing import Any

import yaml

from maos.periods import Grain
from maos.requests import GenerateReportRequest

ROOT = Path(__file__).parent.parent.parent


def deployment(file: str, name: str) -> dict[str, Any]:
    (found,) = [each for each in yaml.safe_load((ROOT / file).read_text())["deployments"] if each["name"] == name]
    return dict(found)


def test_the_shipped_schedule_is_monday_morning_and_switched_off() -> None:
    (schedule,) = deployment("prefect.yaml", "generate-report")["schedules"]

    assert schedule == {"cron": "0 6 * * 1", "timezone": "UTC", "active": False}


def test_the_example_of_a_weekly_report_is_a_deployment_of_the_entrypoint_with_a_valid_request() -> None:
    shipped = deployment("prefect.yaml", "generate-report")
    weekly = deployment("examples/generate_report/weekly.yaml", "weekly-orders")

    request = GenerateReportRequest.model_validate(weekly["parameters"]["request"])

    same = ("entrypoint", "tags", "work_pool", "pull", "enforce_parameter_schema")
    assert [weekly[key] for key in same] == [shipped[key] for key in same]
    assert request.compare is Grain.WEEK
    assert (ROOT / "examples" / request.dataset).is_file()
