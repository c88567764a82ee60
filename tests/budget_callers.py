"""A process that forks callers of a paid engine, so many at once, and kills them: some at a moment of chance, some at
the points where a death could cost most. It says at its end what became of them.

    python -m tests.budget_callers ORG_ID CALLERS LIVES SEED
"""

import json
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from decimal import Decimal
from uuid import UUID

from maos.errors import BudgetExceeded, LeaseLost
from maos.runs import Run
from sql import budgets
from sql.runs import find_run
from sql.session import org_session
from tasks.leases import run_session, take_lease
from tests.rows import add_run, invocation

CALLS = 3
FAULT = 99
# Of each call: how often its process dies at each of the three points.
_DEADLY = 0.04
_KILLED_BY_CHANCE = 0.3
_LONGEST_LIFE_SECONDS = 1.5
_LOOK_EVERY_SECONDS = 0.005


def main() -> None:
    """Keep so many callers alive until so many have lived."""
    org_id, callers, lives, seed = UUID(sys.argv[1]), *map(int, sys.argv[2:])
    chance = random.Random(seed)  # noqa: S311 - of a test
    alive: dict[int, float] = {}
    ends: Counter[str] = Counter()
    begun = 0
    while begun < lives or alive:
        while begun < lives and len(alive) < callers:
            begun += 1
            alive[_fork(org_id, f"{seed}-{begun}")] = _dies_at(chance)
        for pid, dies_at in list(alive.items()):
            if time.monotonic() > dies_at:
                os.kill(pid, signal.SIGKILL)
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                del alive[pid]
                ends.update(_end_of(os.waitstatus_to_exitcode(status)))
        time.sleep(_LOOK_EVERY_SECONDS)
    print(json.dumps(ends), flush=True)


def _dies_at(chance: random.Random) -> float:
    by_chance = chance.random() < _KILLED_BY_CHANCE
    return time.monotonic() + chance.uniform(0, _LONGEST_LIFE_SECONDS) if by_chance else float("inf")


def _end_of(code: int) -> dict[str, int]:
    if code == -signal.SIGKILL:
        return {"killed": 1}
    return {"faults": 1} if code < 0 or code == FAULT else {"lived": 1, "refused": code}


def _fork(org_id: UUID, seed: str) -> int:
    if pid := os.fork():
        return pid
    code = FAULT
    try:
        code = _live(org_id, random.Random(seed))  # noqa: S311 - of a test
    except Exception:  # noqa: BLE001 - said here, and counted as a fault
        traceback.print_exc()
    finally:
        os._exit(code)


def _live(org_id: UUID, chance: random.Random) -> int:
    """Have a run make its calls, as a flow process does; return how many did not fit."""
    run_id = add_run(org_id)
    # One role, and so one connection each: the server has not many more than there are callers.
    with org_session(org_id) as session:
        run = find_run(run_id, session=session)
    assert run is not None
    run = run.model_copy(update={"epoch": take_lease(run).epoch})
    refused = 0
    for number in range(CALLS):
        try:
            _call(run, f"s{number}", chance)
        except BudgetExceeded:
            refused += 1
        except LeaseLost:
            # It took so long that reconciliation has taken it for dead, and ended what it had begun.
            break
    return refused


def _call(run: Run, step: str, chance: random.Random) -> None:
    """Make a call that costs what it will, fails, or is never heard of again."""
    ceiling = Decimal(chance.randint(1, 9_000_000)).scaleb(-8)
    row = invocation(run.org_id, run.id, f"{ceiling}", step)
    with run_session(run) as session:
        session.add(row)
        session.flush()
        budgets.reserve(row, session=session)
        _may_die(chance)
    time.sleep(chance.uniform(0, 0.05))
    _may_die(chance)
    failed = chance.random() < 0.2
    with run_session(run) as session:
        row.status, row.error_kind = ("failed", "overloaded") if failed else ("completed", None)
        row.output = None if failed else {}
        # Now and then by a hair less than all of it.
        saved = chance.choice([Decimal(0), Decimal("1e-8"), ceiling / 2])
        row.cost_usd = Decimal(0) if failed else round(ceiling - saved, 8)
        session.add(row)
        session.flush()
        budgets.settle(row, session=session)
        _may_die(chance)


def _may_die(chance: random.Random) -> None:
    if chance.random() < _DEADLY:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
