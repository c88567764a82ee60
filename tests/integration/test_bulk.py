"""`maos approvals bulk`: alike ones are decided together, each by itself and once."""

import json
import threading
from collections.abc import Mapping
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import click
import psycopg
import pytest
from click.testing import CliRunner, Result
from pyotp import TOTP

from console.approvals import approvals
from console.bulk import _confirm
from maos.approval_policy import ApprovalPolicy
from maos.approvals import Approval
from maos.decisions import DecisionRequest
from maos.errors import BadInput, DecisionRefused, MaosError
from maos.risk import RiskLevel
from maos.statuses import ApprovalStatus
from tasks.approvals import decide_alike
from tasks.enrolments import Offer, enrol
from tasks.reviewers import Identity
from tests.gates import REVIEWER, rows
from tests.rows import add_approval
from tests.runs import approval
from tests.sleeping import is_asleep, sleeping_run

_MANY = 100


@pytest.fixture
def server(prefect_api: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """The id of the organisation; the settings name the Prefect server."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    return org_id


def add(org_id: UUID, number: int = 1, *, run_id: UUID | None = None, **changes: object) -> UUID:
    fields: dict[str, object] = {
        "step_id": f"mail{number}",
        "action": "send_email",
        "payload": {"parameters": {"to": f"customer{number}@x.example", "subject": "May"}},
        "digest": f"{number:064x}",
    }
    return add_approval(org_id, run_id or sleeping_run(org_id), **(fields | changes))


def bulk(like: UUID, *arguments: str, **options: Any) -> Result:
    command = ["bulk", "--like", str(like), "--as", REVIEWER, *arguments]
    return CliRunner().invoke(approvals, command, catch_exceptions=False, **options)


def report(like: UUID, *arguments: str, code: int = 0) -> dict[str, dict[str, str]]:
    done = bulk(like, *arguments, "--yes", "--json")
    assert done.exit_code == code, done.output
    return {row["step_id"]: row for row in json.loads(done.output)}


def statuses() -> dict[str, str]:
    return dict(rows("SELECT step_id, status FROM agent_pending_actions"))  # type: ignore[arg-type]


def test_what_is_alike_is_shown_then_decided_and_its_runs_wake(server: UUID) -> None:
    run_ids = [sleeping_run(server) for _ in range(3)]
    first, *_ = [add(server, number, run_id=run_id) for number, run_id in enumerate(run_ids)]
    add(server, 8, run_id=run_ids[0], action="call_webhook")
    add(server, 9, run_id=run_ids[1], payload={"parameters": {"to": "x", "subject": "May", "copy": "y"}})

    done = bulk(first, input="y\n")

    assert done.exit_code == 0, done.output
    assert done.output.count("May") == 1 or "equal in all 3" in done.output
    assert "customer2@x.example" in done.output
    assert statuses() == {
        "mail0": "approved",
        "mail1": "approved",
        "mail2": "approved",
        "mail8": "pending",
        "mail9": "pending",
    }
    assert not any(map(is_asleep, run_ids))
    assert {via for (via,) in rows("SELECT via FROM agent_action_votes")} == {"bulk"}


def test_nothing_is_decided_without_a_yes(server: UUID) -> None:
    first = add(server)

    assert bulk(first, input="n\n").exit_code == 1
    assert statuses() == {"mail1": "pending"}


def test_one_that_cannot_be_decided_stops_none_of_the_others(server: UUID) -> None:
    first = add(server, 1)
    add(server, 2, initiator_id=REVIEWER)
    add(server, 3)

    said = report(first, code=1)

    assert {name: row["result"] for name, row in said.items()} == {
        "mail1": "approved",
        "mail2": "refused",
        "mail3": "approved",
    }
    assert "no self-approval" in said["mail2"]["reason"]


def test_one_whose_decision_cannot_be_written_stops_none_of_the_others(server: UUID, database: str) -> None:
    first = add(server, 1)
    broken = add(server, 2)
    add(server, 3)
    with psycopg.connect(database) as owner:
        owner.execute("CREATE FUNCTION refuse() RETURNS trigger AS 'BEGIN RAISE ''no''; END' LANGUAGE plpgsql")
        at = f"BEFORE UPDATE ON agent_pending_actions FOR EACH ROW WHEN (NEW.id = '{broken}')"
        owner.execute(f"CREATE TRIGGER refuse {at} EXECUTE FUNCTION refuse()".encode())

    said = report(first, code=1)

    assert {name: row["result"] for name, row in said.items()} == {
        "mail1": "approved",
        "mail2": "refused",
        "mail3": "approved",
    }
    assert "the database does not take it" in said["mail2"]["reason"]
    # Neither vote nor audit row of the one that was not decided, and no two of the others.
    assert rows("SELECT count(*), count(DISTINCT approval_id) FROM agent_action_votes") == [(2, 2)]
    assert rows("SELECT count(*) FROM agent_action_audit_log WHERE event = 'approval.approved'") == [(2,)]


def test_one_that_was_edited_decided_or_expired_since_it_was_shown_is_refused(
    server: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = add(server, 1)
    changed = {2: f"digest = '{'f' * 64}'", 3: "expires_at = now()", 4: "status = 'cancelled', decided_at = now()"}
    ids = {number: add(server, number) for number in changed}

    def decide_after_all(
        seen: Mapping[UUID, str], request: DecisionRequest, *, identity: Identity
    ) -> dict[UUID, Approval | MaosError]:
        for number, change in changed.items():
            rows(f"UPDATE agent_pending_actions SET {change} WHERE id = '{ids[number]}' RETURNING 1")
        return decide_alike(seen, request, identity=identity)

    monkeypatch.setattr("console.bulk.decide_alike", decide_after_all)
    said = report(first, code=1)

    assert said["mail1"]["result"] == "approved"
    assert "edited since it was shown" in said["mail2"]["reason"]
    assert "expired at" in said["mail3"]["reason"]
    assert "already cancelled" in said["mail4"]["reason"]


def test_critical_ones_are_left_out_unless_typed_out(server: UUID) -> None:
    first = add(server, 1)
    add(server, 2, risk=RiskLevel.CRITICAL)

    shown = bulk(first, "--yes")
    assert "Left out: 1 critical" in shown.output
    assert statuses() == {"mail1": "approved", "mail2": "pending"}

    third = add(server, 3)
    assert report(third, "--include-critical").keys() == {"mail2", "mail3"}


def test_at_a_terminal_the_word_critical_is_typed_even_after_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.bulk.at_terminal", lambda: True)
    found = [approval("pay", ApprovalStatus.PENDING, risk=RiskLevel.CRITICAL)]

    @click.command()
    def confirm() -> None:
        from maos.approvals import Decision

        _confirm(found, Decision.APPROVE, include_critical=True, yes=True)

    assert CliRunner().invoke(confirm, input="yes\n").exit_code == 1
    assert CliRunner().invoke(confirm, input="critical\n").exit_code == 0


def test_rejecting_takes_a_note_and_a_choice_is_no_matter_for_bulk(server: UUID) -> None:
    first = add(server, 1)
    doubtful = add(server, 2, kind="in_doubt")

    with pytest.raises(BadInput, match="--note"):
        bulk(first, "--decision", "reject", "--yes")
    with pytest.raises(BadInput, match="without choices"):
        bulk(doubtful, "--yes")
    assert report(first, "--decision", "reject", "--note", "last month's")["mail1"]["result"] == "rejected"


def test_a_wrong_code_decides_nothing(server: UUID) -> None:
    policy = ApprovalPolicy(codes_required=True).model_dump(mode="json")
    first = add(server, 1, policy=policy)
    add(server, 2, policy=policy)

    with pytest.raises(DecisionRefused, match="one-time code"):
        bulk(first, "--code", "000000", "--yes")
    assert statuses() == {"mail1": "pending", "mail2": "pending"}


def test_one_code_covers_all(server: UUID) -> None:
    secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    enrol(Offer(REVIEWER, "owner@demo.example", False, secret), None)
    policy = ApprovalPolicy(codes_required=True).model_dump(mode="json")
    first, _ = add(server, 1, policy=policy), add(server, 2, policy=policy)

    said = report(first, "--code", TOTP(secret).now())

    assert {row["result"] for row in said.values()} == {"approved"}
    assert rows("SELECT DISTINCT identity_verified FROM agent_pending_actions") == [(True,)]


def test_one_run_with_many_actions_is_woken_once(server: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    monkeypatch.setattr("console.bulk.wake_all", lambda run_ids, _person: told.append(len(run_ids)) or frozenset())
    run_id = sleeping_run(server)
    first, *_ = [add(server, number, run_id=run_id) for number in range(3)]

    report(first)

    assert told == [1]


def test_of_two_people_who_decide_a_hundred_each_is_decided_once(server: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = sleeping_run(server)
    first, *_ = [add(server, number, run_id=run_id) for number in range(_MANY)]
    both_have_seen = threading.Barrier(2)
    monkeypatch.setattr("console.bulk._confirm", lambda *_, **__: both_have_seen.wait(60))
    monkeypatch.setattr("console.bulk.wake_all", lambda *_: frozenset())
    rows_of: list[list[dict[str, str]]] = []

    def one() -> None:
        rows_of.append(_decided_by(first))

    racers = [threading.Thread(target=copy_context().run, args=(one,)) for _ in range(2)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(300)

    won = [row["step_id"] for rows_ in rows_of for row in rows_ if row["result"] == "approved"]
    assert sorted(won) == sorted(f"mail{number}" for number in range(_MANY))
    assert rows("SELECT count(*), count(DISTINCT approval_id) FROM agent_action_votes") == [(_MANY, _MANY)]
    lost = [row for rows_ in rows_of for row in rows_ if row["result"] == "refused"]
    assert len(lost) == _MANY
    assert all("already approved by" in row["reason"] or "already voted" in row["reason"] for row in lost)


def _decided_by(first: UUID) -> list[dict[str, str]]:
    from console.bulk import _carry_out, _confirm, _found
    from console.decisions import read_approval
    from maos.approvals import Decision, DecisionPath

    found = _found(read_approval(first), critical=False, limit=_MANY, quiet=True)
    _confirm(found, Decision.APPROVE, include_critical=False, yes=True)
    request = DecisionRequest(decision=Decision.APPROVE, reviewer=REVIEWER, via=DecisionPath.BULK)
    return [{name: str(value) for name, value in row.items()} for row in _carry_out(found, request)]


def test_those_that_expired_are_not_among_the_like(server: UUID) -> None:
    first = add(server, 1)
    add(server, 2, expires_at=datetime.now(UTC) - timedelta(minutes=1))

    assert report(first).keys() == {"mail1"}
