"""What a killed process had set aside is given back by reconciliation, without anybody who takes its run up."""

import os
import signal
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
import yaml

from tasks.leases import LEASE
from tasks.ledger import find_run
from tasks.reconciliation import reconcile
from tests.budgets import Standing, add_budget, standing
from tests.gates import rows, wait_for
from tests.rows import add_run

ROOT = Path(__file__).parent.parent.parent
_CALLER = """
import sys, time
from datetime import timedelta
from uuid import UUID
from sql import leases
from sql.session import org_session
from tests.budgets import begin

org_id, run_id = map(UUID, sys.argv[1:])
with org_session(org_id) as session:
    assert leases.take_lease(run_id, timedelta(seconds=2), session=session)
begin(org_id, run_id, "0.75", "act")
print("set aside", flush=True)
time.sleep(3600)
"""


@pytest.mark.usefixtures("prefect_api")
def test_what_a_killed_caller_set_aside_is_released_by_the_next_reconciliation(org_id: UUID) -> None:
    budget, run_id = add_budget(org_id, "1"), add_run(org_id)
    before = find_run(run_id)
    command = [sys.executable, "-c", _CALLER, str(org_id), str(run_id)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "set aside\n"
        caller.send_signal(signal.SIGKILL)
    assert standing(budget) == Standing(Decimal(1), Decimal("0.75"), Decimal(0), Decimal("0.25"))
    said = wait_for(lambda: [each for each in reconcile() if "a dead process left running" in each])

    assert said == [f"run {run_id}: 1 attempts ended that a dead process left running"]
    # Nobody knows what the call took: it counts with all that it could.
    assert standing(budget) == Standing(Decimal(1), Decimal(0), Decimal("0.75"), Decimal("0.25"))
    assert rows("SELECT status, error_kind FROM agent_invocations") == [("failed", "process_died")]
    assert rows("SELECT kind FROM usage_entries ORDER BY kind") == [("reserve",), ("settle",)]
    assert rows("SELECT count(*) FROM agent_action_audit_log WHERE event = 'step.failed'") == [(1,)]
    after = find_run(run_id)
    assert before
    assert after
    assert after.epoch > before.epoch


@pytest.mark.usefixtures("prefect_api")
def test_what_a_living_process_has_set_aside_is_left_to_it(org_id: UUID) -> None:
    budget, run_id = add_budget(org_id, "1"), add_run(org_id)
    command = [sys.executable, "-c", _CALLER.replace("seconds=2", "hours=1"), str(org_id), str(run_id)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        caller.stdout.readline()
        said = [each for each in reconcile() if "left running" in each]
        caller.kill()

    assert said == []
    assert standing(budget).reserved == Decimal("0.75")


def test_a_lease_and_the_time_to_the_next_reconciliation_are_less_than_a_minute() -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    (schedule,) = next(each["schedules"] for each in deployments if each["name"] == "reconcile-runs")

    assert schedule["interval"] + LEASE.total_seconds() < 60
