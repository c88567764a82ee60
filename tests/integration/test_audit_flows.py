"""The flows that keep the audit log, as Prefect runs them."""

from uuid import UUID

import psycopg
import pytest

from flows.anchor_audit_chains import anchor_audit_chains
from flows.apply_retention import apply_retention
from flows.make_audit_partitions import make_audit_partitions
from maos.audit import AuditEvent, ChainBroken
from sql.audit import append_audit
from sql.session import org_session


def test_each_does_its_part_and_says_so(prefect_api: str, database: str, org_id: UUID) -> None:
    assert prefect_api
    with org_session(org_id) as session:
        event = AuditEvent(event="rules.stored", actor="owner@demo.example", run_id=None, summary="stored")
        append_audit(event, org_id=org_id, session=session)

    assert make_audit_partitions() == []
    assert anchor_audit_chains() == ["demo: row 1 anchored as number 1"]
    assert apply_retention() == []

    with psycopg.connect(database) as connection:
        connection.execute("DELETE FROM agent_action_audit_log")
    with pytest.raises(ChainBroken, match="demo"):
        anchor_audit_chains()
