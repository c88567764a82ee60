"""Thresholds of budgets over the wire: told once, to the right people, together with approvals, whoever dies."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from maos.budgets import BudgetPeriod, BudgetScope
from maos.notices import Channel, NoticeKind, Route
from maos.risk import RiskLevel
from maos.roles import Role
from sql.approvals import find_approval
from sql.organizations import ensure_member, ensure_organization
from sql.session import org_session, system_session
from tasks.budget_notices import note_thresholds
from tasks.notice_delivery import deliver
from tasks.notice_routes import add_route
from tasks.notices import tell
from tasks.overdue import keep_queue
from tasks.reconciliation import reconcile
from tests.budgets import add_budget, begin, end
from tests.gates import OWNER, REVIEWER, rows
from tests.mail_receiver import MailReceiver
from tests.notice_receivers import receiving_mail, receiving_slack, receiving_webhooks, told
from tests.rows import add_approval, add_run
from tests.webhook_receiver import WebhookReceiver

OPERATOR = "operator@demo.example"
ROOT = Path(__file__).parent.parent.parent
# West and east of the date line: whatever the time, the two have different dates.
_WEST, _EAST = "Etc/GMT+12", "Pacific/Kiritimati"


@pytest.fixture
def mail(prefect_api: str, org_id: UUID) -> Iterator[MailReceiver]:  # noqa: ARG001
    with system_session() as session:
        ensure_member(OPERATOR, "Op", Role.OPERATOR, org_id=org_id, session=session)
    with receiving_mail() as receiver:
        yield receiver


@pytest.fixture
def hook(prefect_api: str) -> Iterator[WebhookReceiver]:  # noqa: ARG001
    with receiving_webhooks() as receiver:
        yield receiver


def _spend(org_id: UUID, cost: str) -> None:
    end(begin(org_id, add_run(org_id), cost, "act"), cost)


def _as_admin(database: str, statement: str) -> None:
    """Change rows as only time would."""
    with psycopg.connect(database) as connection:
        connection.execute(statement.encode())


def _later(database: str) -> None:
    _as_admin(database, "UPDATE approval_notices SET sent_at = sent_at - interval '5 minutes'")


def test_owners_and_operators_are_told_by_housekeeping_once(org_id: UUID, mail: MailReceiver, database: str) -> None:
    add_budget(org_id, "10", thresholds=(50, 80))
    _spend(org_id, "5")
    for _ in range(3):
        reconcile()
        keep_queue()
        _later(database)

    assert sorted(each.recipients for each in mail.messages) == [(OPERATOR,), (OWNER,)]
    assert [each.message["Subject"] for each in mail.messages] == [
        "[maos demo] budget: usd of the org in total: 50 % reached"
    ] * 2
    (said,) = told(mail, OWNER)
    assert "5 USD of 10 USD spent, 5 USD left" in said
    assert "maos budgets show --org demo" in said

    _spend(org_id, "3")
    reconcile()
    keep_queue()
    assert "80 % reached" in told(mail, OWNER)[1]
    assert len(mail.messages) == 4


def test_a_person_hears_of_thresholds_and_approvals_in_one_message_and_not_again_for_five_minutes(
    org_id: UUID, mail: MailReceiver, database: str
) -> None:
    add_budget(org_id, "10", thresholds=(50, 60, 90))
    approval_id = add_approval(org_id, add_run(org_id), title="Act on it.", risk=RiskLevel.MEDIUM)
    with org_session(org_id) as session:
        asked = find_approval(approval_id, session=session)
        assert asked is not None
        tell(NoticeKind.REQUESTED, [asked], session=session)
    _spend(org_id, "6")
    note_thresholds()
    deliver(org_id, seconds=20)

    (said,) = told(mail, OWNER)
    assert "Act on it." in said
    # Of two thresholds that were passed at once the higher one says it all.
    assert "60 % reached" in said
    assert "50 % reached" not in said
    assert "60 %" not in told(mail, REVIEWER)[0]

    _spend(org_id, "3")
    note_thresholds()
    deliver(org_id, seconds=20)
    assert len(told(mail, OWNER)) == 1
    _later(database)
    deliver(org_id, seconds=20)
    assert "90 % reached" in told(mail, OWNER)[1]


def test_each_period_of_each_budget_has_its_own_notices(org_id: UUID, mail: MailReceiver, database: str) -> None:
    rows(f"UPDATE organizations SET timezone = '{_WEST}' RETURNING id")
    add_budget(org_id, "1", period=BudgetPeriod.DAY, thresholds=(100,))
    add_budget(org_id, "3", scope=BudgetScope.AGENT, owner="clerk", thresholds=(50,))
    _spend(org_id, "1")
    note_thresholds()
    deliver(org_id, seconds=20)
    rows(f"UPDATE organizations SET timezone = '{_EAST}' RETURNING id")
    _spend(org_id, "1")
    note_thresholds()
    _later(database)
    deliver(org_id, seconds=20)

    first, second = told(mail, OWNER)
    assert "usd of the org a day from 2" in first
    assert "clerk" not in first
    assert "usd of the org a day from 2" in second
    assert "usd of the agent clerk in total: 50 % reached" in second
    assert rows("SELECT count(*), count(DISTINCT period_start) FROM approval_notices WHERE percent = 100") == [(4, 2)]


def test_of_housekeepers_at_the_same_time_one_gives_the_notice(org_id: UUID, mail: MailReceiver) -> None:
    add_budget(org_id, "1", thresholds=(10, 20, 30))
    _spend(org_id, "1")
    with ThreadPoolExecutor(8) as pool:
        said = [words for each in pool.map(lambda _: note_thresholds(), range(8)) for words in each]
    deliver(org_id, seconds=20)

    assert len(said) == 3
    assert rows("SELECT count(*) FROM agent_action_audit_log WHERE event = 'budget.threshold'") == [(3,)]
    assert len(told(mail, OWNER)) == 1


_HOUSEKEEPER_THAT_DIES = """
import os, signal, sys
from sqlalchemy import event
from sqlmodel import Session
from tasks.budget_notices import note_thresholds

at, wanted, commits = sys.argv[1], int(sys.argv[2]), 0

def die(_session):
    global commits
    commits += 1
    if commits == wanted:
        os.kill(os.getpid(), signal.SIGKILL)

event.listen(Session, at, die)
note_thresholds()
"""


@pytest.mark.parametrize(("at", "commit"), [("before_commit", 1), ("before_commit", 2), ("after_commit", 2)])
def test_a_notice_outlives_whoever_dies_while_giving_it(
    org_id: UUID, mail: MailReceiver, database: str, at: str, commit: int
) -> None:
    add_budget(org_id, "10", thresholds=(50,))
    _spend(org_id, "5")
    command = [sys.executable, "-c", _HOUSEKEEPER_THAT_DIES, at, str(commit)]
    died = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
    for _ in range(2):
        note_thresholds()
        keep_queue()
        _later(database)

    assert died.returncode == -signal.SIGKILL
    assert sorted(each.recipients for each in mail.messages) == [(OPERATOR,), (OWNER,)]
    assert rows("SELECT count(*) FROM agent_action_audit_log WHERE event = 'budget.threshold'") == [(1,)]


def test_a_threshold_is_told_by_signed_webhook_with_its_figures(
    org_id: UUID, mail: MailReceiver, hook: WebhookReceiver
) -> None:
    for role in (Role.OWNER, Role.OPERATOR):
        add_route(Route(role=role, channel=Channel.WEBHOOK, target="receiver"), person=None, org_id=org_id)
    add_budget(org_id, "2", thresholds=(50,))
    begin(org_id, add_run(org_id), "0.25", "under way")
    _spend(org_id, "1.5")
    note_thresholds()
    deliver(org_id, seconds=20)

    (call,) = hook.deliveries
    assert call.body == {
        "organisation": "demo",
        "approvals": [],
        "budgets": [
            {
                "budget": "usd of the org in total",
                "scope": "org",
                "name": "demo",
                "unit": "usd",
                "period": "total",
                "begins": "1970-01-01",
                "percent": 50,
                "limit": "2.00000000",
                "spent": "1.50000000",
                "left": "0.25000000",
            }
        ],
    }
    assert mail.messages == []


def test_a_threshold_is_told_in_slack(
    org_id: UUID,
    prefect_api: str,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_route(Route(role=Role.OWNER, channel=Channel.SLACK, target="approvals"), person=None, org_id=org_id)
    add_budget(org_id, "1", scope=BudgetScope.AGENT, owner="clerk", thresholds=(100,))
    _spend(org_id, "1")
    note_thresholds()
    with receiving_slack(monkeypatch) as slack:
        deliver(org_id, seconds=20)

    (said,) = slack.said
    assert "usd of the agent clerk in total: 100 % reached" in said


def test_a_route_from_high_risk_on_leaves_thresholds_out(org_id: UUID, mail: MailReceiver) -> None:
    for role in (Role.OWNER, Role.OPERATOR):
        route = Route(role=role, minimum_risk=RiskLevel.HIGH, channel=Channel.EMAIL)
        add_route(route, person=None, org_id=org_id)
    add_budget(org_id, "1", thresholds=(50,))
    _spend(org_id, "1")
    note_thresholds()
    keep_queue()

    assert mail.messages == []


def test_owners_of_other_organisations_hear_nothing(org_id: UUID, mail: MailReceiver) -> None:
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)
        ensure_member("owner@other.example", "Other", Role.OWNER, org_id=other, session=session)
    add_budget(org_id, "1", thresholds=(50,))
    _spend(org_id, "1")
    note_thresholds()
    keep_queue()

    assert {each.recipients for each in mail.messages} == {(OPERATOR,), (OWNER,)}
