"""Processes that call, fail and are killed at one budget: it is never passed, and at the end nothing is left over.

The proof at its full size, 100 callers and 1,000 lives, is `make prove-budgets`.
"""

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from maos.budgets import BudgetKey, BudgetPeriod, BudgetScope, BudgetUnit
from sql.session import system_session
from tasks.budgets import top_up
from tasks.recovery import settle_what_died
from tests.budgets import add_budget, standing
from tests.gates import OWNER, rows, wait_for

_FULL = bool(os.environ.get("MAOS_PROVE_BUDGETS"))
_CALLERS, _LIVES = (100, 1000) if _FULL else (12, 40)
_SEED = 20261128
ROOT = Path(__file__).parent.parent.parent
# Small enough that some calls are refused all the time, and raised only when it is used up.
_MORE = Decimal("0.03") * _CALLERS
_LITTLE = _MORE / 40
_STANDING = text("SELECT limit_amount, reserved + spent, remaining FROM budget_standings")


def _look(org_id: UUID) -> list[str]:
    """Look at what is committed, and top up when little is left; return what is beyond the limit."""
    with system_session() as session:
        found = session.execute(_STANDING).first()
    if found is None:
        return []
    limit, taken, left = found
    if left < _LITTLE:
        key = BudgetKey(scope=BudgetScope.ORG, owner=str(org_id), unit=BudgetUnit.USD, period=BudgetPeriod.TOTAL)
        top_up(key, _MORE, person=OWNER, org_id=org_id)
    return [f"{taken} taken, {left} left of {limit}"] if taken > limit or taken + left != limit else []


@pytest.mark.timeout(3600)
def test_callers_that_fail_and_are_killed_pass_no_limit_and_leave_nothing_behind(org_id: UUID) -> None:
    budget = add_budget(org_id, f"{_MORE}")
    command = [sys.executable, "-m", "tests.budget_callers", str(org_id), *map(str, (_CALLERS, _LIVES, _SEED))]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    beyond: list[str] = []
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as callers:
        while callers.poll() is None:
            beyond += _look(org_id)
            settle_what_died()
        assert callers.stdout is not None
        ends = json.loads(callers.stdout.read())
    # The leases of those that were killed last run out first.
    wait_for(lambda: (settle_what_died(), not rows("SELECT 1 FROM agent_invocations WHERE status = 'running'"))[1])
    now = standing(budget)
    ((settled, reservations, conclusions, calls),) = rows(
        "SELECT coalesce(sum(amount_usd) FILTER (WHERE kind = 'settle'), 0), count(*) FILTER (WHERE kind = 'reserve'), "
        "count(*) FILTER (WHERE kind <> 'reserve'), count(DISTINCT invocation_id) FROM usage_entries"
    )
    print(f"{ends}, {calls} calls, {now}")

    assert beyond == []
    assert (now.reserved, now.spent, now.left) == (0, settled, now.limit - settled)
    assert settled <= now.limit
    # Every call was set aside once and concluded once.
    assert reservations == conclusions == calls
    assert rows("SELECT count(*) FROM agent_invocations") == [(calls,)]
    # The budget was fought for, and processes did die.
    assert ends.get("faults", 0) == 0
    assert ends["killed"] >= _LIVES // 10
    assert ends["refused"] > 0
    assert ends["lived"] + ends["killed"] == _LIVES
