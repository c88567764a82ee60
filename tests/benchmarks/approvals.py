"""What deciding costs: `make bench-approvals` prints it; nothing is asserted but the ends.

On a real stack: a decision to the first instruction after its gate. On a real server and database: the list of a
queue of 100,000, and a hundred decided in bulk.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner
from prefect.client.orchestration import get_client
from sqlalchemy import text

from console.approvals import approvals
from console.bulk import _decide_all
from console.decisions import read_approval
from maos.approvals import Approval, Decision, DecisionPath
from maos.decisions import DecisionRequest
from sql.approval_queue import alike
from sql.session import system_session
from tasks.waking import wake_all
from tests.end_to_end.conftest import Maos, maos, wait_for  # noqa: F401 - a fixture
from tests.gates import REVIEWER
from tests.rows import add_approval, add_run
from tests.sleeping import sleeping_run

_RUNS, _LISTS, _PENDING, _BULK = 3, 20, 100_000, 100
_FILL = f"""
INSERT INTO agent_pending_actions (org_id, run_id, step_id, action, engine_type, title, preview, payload, digest, risk,
    cost_ceiling_usd, policy, initiator_id, started_at, expires_at, status, acting_for)
SELECT a.org_id, a.run_id, 's' || n, 'send_email', a.engine_type, a.title, a.preview, a.payload, a.digest,
    (ARRAY['low', 'medium', 'high', 'critical'])[1 + n % 4], 0, a.policy, a.initiator_id,
    now() - n * interval '1 second', now() + interval '8 hours' + n * interval '1 second', 'pending', a.acting_for
FROM agent_pending_actions a, generate_series(1, {_PENDING}) n WHERE a.id = :id
"""


def _milliseconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begun)


def test_the_list_of_a_long_queue(database: str, org_id: UUID) -> None:
    """Print how long a page takes, and by which plan the database finds it."""
    asked = add_approval(org_id, add_run(org_id), payload={"parameters": {"body": "x" * 500}})
    with system_session() as session:
        session.execute(text(_FILL), {"id": asked})
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ANALYZE agent_pending_actions")
    for words in ("list", "list --org demo", "list --risk low", "list --expiring-within 9h"):
        took = [_milliseconds(partial(_listed, words.split())) for _ in range(_LISTS)]
        print(f"\n{words} among {_PENDING}: median {median(took):.0f} ms ({min(took):.0f} to {max(took):.0f})")
    print("\n".join(_plan()))


def _listed(arguments: list[str]) -> None:
    assert CliRunner().invoke(approvals, [*arguments, "--json"], catch_exceptions=False).exit_code == 0


def _plan() -> list[str]:
    urgency = "(CASE risk WHEN 'critical' THEN 0 WHEN 'high' THEN 1 WHEN 'medium' THEN 2 ELSE 3 END)"
    order = f"{urgency}, started_at, id"
    query = f"SELECT * FROM agent_pending_actions WHERE status = 'pending' ORDER BY {order} LIMIT 50"
    with system_session() as session:
        return [line for (line,) in session.execute(text(f"EXPLAIN (ANALYZE, BUFFERS) {query}"))]


@pytest.mark.timeout(1800)
def test_a_hundred_in_bulk(prefect_api: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    """Print how long it takes until all are decided, and until Prefect has taken that their runs go on."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    with get_client(sync_client=True) as client:
        run_ids = [sleeping_run(org_id, client=client) for _ in range(_BULK)]
    made = [
        add_approval(org_id, run_id, payload={"parameters": {"n": n}}, digest=f"{n:064x}")
        for n, run_id in enumerate(run_ids)
    ]
    with system_session() as session:
        found = alike(read_approval(made[0]), critical=False, limit=_BULK, session=session)
    request = DecisionRequest(decision=Decision.APPROVE, reviewer=REVIEWER, via=DecisionPath.BULK)
    begun, busy = time.perf_counter(), time.process_time()
    decided = _decide_all(found, request)
    committed, worked = time.perf_counter(), time.process_time() - busy
    asleep = wake_all([each.run_id for each in found if each.run_id], REVIEWER)
    woken = time.perf_counter()

    print(f"\nload of the machine: {os.getloadavg()[0]:.1f}; this process worked {worked:.2f} s to decide")
    assert all(isinstance(each, Approval) for each in decided.values())
    assert not asleep
    print(
        f"\n{_BULK} in bulk: decided in {committed - begun:.2f} s, resumes accepted in {woken - committed:.2f} s more"
    )


@pytest.mark.timeout(1800)
def test_a_decision_to_the_first_instruction_after_the_gate(maos: Maos) -> None:  # noqa: F811
    """Print how long the runs take to go on: from the commit of a decision to the use of its approval."""
    took = []
    for _ in range(_RUNS):
        run_id = maos.start_report()
        (approval_id,) = maos.rows(f"SELECT id FROM agent_pending_actions WHERE run_id = '{run_id}'")[0]
        maos.run("approvals", "approve", str(approval_id), "--as", REVIEWER)
        took.append(wait_for(partial(_seconds_to_go_on, maos, approval_id), 300))
    print(f"\na decision to the first instruction: median {median(took):.2f} s ({min(took):.2f} to {max(took):.2f})")


def _seconds_to_go_on(stack: Maos, approval_id: UUID) -> float | None:
    between = "extract(epoch FROM consumed_at - decided_at)::float"
    ((seconds,),) = stack.rows(f"SELECT {between} FROM agent_pending_actions WHERE id = '{approval_id}'")
    return seconds  # type: ignore[no-any-return]
