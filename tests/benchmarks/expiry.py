"""How long 1,000 approvals take to settle that are due at once: `make bench-expiry`."""

import time
from uuid import UUID

import pytest

from tasks import overdue
from tasks.notice_delivery import Delivery
from tests.gates import rows
from tests.integration.test_expire_approvals import _add_due


def test_a_thousand_at_once(org_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overdue, "wake_all", lambda _run_ids, _person: frozenset())
    monkeypatch.setattr(overdue, "deliver", lambda _org_id, **_named: Delivery())
    _add_due(org_id, 1000)
    begun, used = time.monotonic(), time.process_time()

    said = overdue.keep_queue()

    took, used = time.monotonic() - begun, time.process_time() - used
    print(f"\n{said[0]} in {took:.1f} s, {used:.1f} s of them computing, with audit rows and notices; promised: 60 s")
    assert rows("SELECT count(*) FROM agent_pending_actions WHERE status = 'expired'") == [(1000,)]
