"""The example of a weekly report registers as a deployment with its schedule and its request."""

import sys
from contextlib import suppress
from pathlib import Path

import pytest
from prefect.cli import app
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.usefixtures("prefect_api")
def test_the_example_is_deployed_with_its_schedule_and_request(monkeypatch: pytest.MonkeyPatch) -> None:
    file = str(ROOT / "examples" / "generate_report" / "weekly.yaml")
    monkeypatch.setattr(sys, "argv", ["prefect", "--no-prompt", "deploy", "--all", "--prefect-file", file])
    with get_client(sync_client=True) as client:
        with suppress(ObjectAlreadyExists):
            client.create_work_pool(WorkPoolCreate(name="maos", type="process"))

        with pytest.raises(SystemExit) as done:
            app()

        found = client.read_deployment_by_name("generate-report/weekly-orders")
        # Its schedule would go on in the server of other tests.
        client.delete_deployment(found.id)

    assert not done.value.code
    (schedule,) = found.schedules
    assert schedule.active
    assert schedule.schedule.model_dump(include={"cron", "timezone"}) == {
        "cron": "0 6 * * 1",
        "timezone": "Europe/Berlin",
    }
    assert found.parameters["request"]["compare"] == "week"
