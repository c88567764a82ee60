"""The flow that closes months, as Prefect runs it and the stack's schedule has it."""

from pathlib import Path
from uuid import UUID

import pytest
import yaml
from prefect import State
from prefect.client.orchestration import get_client

from flows.close_billing_month import close_billing_month
from maos.errors import RunFailed
from sql.organizations import ensure_organization
from sql.session import org_session, system_session
from sql.tables import AgentInvocation
from tasks.billing import statement_of
from tests.billed_calls import MAY, add_billed
from tests.gates import rows
from tests.rows import add_run
from tests.tenants import BILLED_MONTH

ROOT = Path(__file__).parents[2]


def _state_in_prefect(state: State) -> tuple[str, str]:
    """Return what the Prefect server itself says of a flow run."""
    assert state.state_details.flow_run_id
    with get_client(sync_client=True) as client:
        kept = client.read_flow_run(state.state_details.flow_run_id).state
    assert kept
    return kept.type.value, kept.message or ""


def test_it_closes_what_has_ended_once_and_is_silent_then(prefect_api: str, org_id: UUID) -> None:
    assert prefect_api
    add_billed(org_id, add_run(org_id, rehearsal=False), "0.5", at=MAY)

    assert close_billing_month() == ["demo-0001"]
    assert close_billing_month() == []

    assert statement_of(org_id, BILLED_MONTH).reference == "demo-0001"
    assert rows("SELECT count(*) FROM billing_statements") == [(1,)]


def test_a_month_that_cannot_be_closed_fails_the_flow_run_and_keeps_no_other_from_it(
    prefect_api: str, org_id: UUID
) -> None:
    assert prefect_api
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)
    wrong = add_billed(org_id, add_run(org_id, rehearsal=False), "1", at=MAY)
    add_billed(other, add_run(other, rehearsal=False), "2", at=MAY)
    with org_session(org_id) as session:
        session.get_one(AgentInvocation, wrong).input_tokens += 1

    state = close_billing_month(return_state=True)

    kind, message = _state_in_prefect(state)
    assert kind == "FAILED"
    assert f"demo, 2026-05: entries and invocations differ in 1 places: invocation {wrong}" in message
    with pytest.raises(RunFailed):
        state.result()
    assert rows("SELECT document ->> 'reference' FROM billing_statements") == [("other-0001",)]


def test_it_is_scheduled_after_each_month_has_ended_in_utc() -> None:
    (deployment,) = [
        each
        for each in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
        if each["name"] == "close-billing-month"
    ]

    (schedule,) = deployment["schedules"]
    minute, hour, days, months, weekdays = schedule["cron"].split()
    assert (schedule["timezone"], months, weekdays) == ("UTC", "*", "*")
    assert days.startswith("1")
    assert (int(hour), int(minute)) > (0, 0)
