"""Notices over the wire: told once, grouped, tried again, and never in the way of a run."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import psycopg
import pytest

from blocks.mail_server import MailServer
from maos.approval_policy import ApprovalPolicy, ExpiryOutcome, Group, Stage
from maos.approvals import Approval, Decision, DecisionPath
from maos.decisions import DecisionRequest
from maos.notices import Channel, NoticeKind, Route
from maos.risk import RiskLevel
from sql.approvals import find_approval
from sql.notices import claim, ready
from sql.organizations import ensure_member, ensure_organization
from sql.session import org_session, system_session
from tasks.approvals import decide
from tasks.notice_delivery import deliver
from tasks.notice_routes import add_route
from tasks.notices import tell
from tasks.overdue import keep_queue
from tests.gates import REVIEWER, answer_form, only_run_id, pending, rows, wait_for
from tests.mail_receiver import MailReceiver
from tests.notice_receivers import SECRET, receiving_mail, receiving_slack, receiving_webhooks, told
from tests.plans import Bench, step
from tests.rows import add_approval, add_run
from tests.webhook_receiver import WebhookReceiver

OWNER, AUTHOR = "owner@demo.example", "author@demo.example"


@pytest.fixture
def mail(prefect_api: str, org_id: UUID) -> Iterator[MailReceiver]:  # noqa: ARG001
    with receiving_mail() as receiver:
        yield receiver


@pytest.fixture
def hook(prefect_api: str) -> Iterator[WebhookReceiver]:  # noqa: ARG001
    with receiving_webhooks() as receiver:
        yield receiver


def _ask(
    org_id: UUID, *, kind: NoticeKind = NoticeKind.REQUESTED, run_id: UUID | None = None, **fields: object
) -> UUID:
    """Add an approval and what is told of it, as a gate does."""
    approval_id = add_approval(org_id, run_id or add_run(org_id), **fields)
    with org_session(org_id) as session:
        tell(kind, [_found(approval_id)], session=session)
    return approval_id


def _found(approval_id: UUID) -> Approval:
    with system_session() as session:
        found = find_approval(approval_id, session=session)
    assert found is not None
    return found


def _as_admin(database: str, statement: str) -> None:
    """Change rows as only time would."""
    with psycopg.connect(database) as connection:
        connection.execute(statement.encode())


def test_a_high_approval_is_told_at_once_to_everybody_who_may_decide_it(org_id: UUID, mail: MailReceiver) -> None:
    _ask(org_id, title="Publish it.")

    deliver(org_id, urgent_only=True, seconds=20)

    assert {each.recipients for each in mail.messages} == {(REVIEWER,), (OWNER,)}
    (said,) = told(mail, REVIEWER)
    assert "high: Publish it." in said
    assert f"asked by {AUTHOR}" in said
    assert f"/runs/flow-run/{rows('SELECT run_id FROM agent_pending_actions')[0][0]}" in said


def test_thirty_approvals_of_a_person_are_one_message(org_id: UUID, mail: MailReceiver) -> None:
    run_id = add_run(org_id)
    for number in range(30):
        _ask(org_id, run_id=run_id, step_id=f"act{number}", title=f"Act {number}.", risk=RiskLevel.MEDIUM)

    deliver(org_id, seconds=20)
    (said,) = told(mail, REVIEWER)

    assert all(f"Act {number}." in said for number in range(30))


def test_a_person_who_was_just_told_hears_of_the_next_when_it_is_urgent_or_later(
    org_id: UUID, mail: MailReceiver, database: str
) -> None:
    _ask(org_id, title="First.", risk=RiskLevel.MEDIUM)
    deliver(org_id, seconds=20)
    _ask(org_id, title="Second.", risk=RiskLevel.MEDIUM)
    deliver(org_id, seconds=20)

    assert len(told(mail, REVIEWER)) == 1

    _as_admin(database, "UPDATE approval_notices SET sent_at = sent_at - interval '5 minutes'")
    deliver(org_id, seconds=20)
    _ask(org_id, title="Third.", risk=RiskLevel.CRITICAL)
    deliver(org_id, seconds=20)

    assert ["Second." in said for said in told(mail, REVIEWER)] == [False, True, False]
    assert "Third." in told(mail, REVIEWER)[2]


def test_what_was_sent_is_not_sent_again(org_id: UUID, mail: MailReceiver) -> None:
    _ask(org_id)
    deliver(org_id, seconds=20)
    deliver(org_id, seconds=20)
    keep_queue()

    assert len(mail.messages) == 2


def test_what_was_decided_meanwhile_is_not_told(org_id: UUID, mail: MailReceiver) -> None:
    decide(_ask(org_id), DecisionRequest(decision=Decision.APPROVE, reviewer=REVIEWER, via=DecisionPath.FORM))

    deliver(org_id, seconds=20)

    assert mail.messages == []
    assert rows("SELECT count(*) FROM approval_notices WHERE dropped_at IS NOT NULL") == [(2,)]


def test_a_mailbox_that_fails_is_tried_again_after_a_pause(org_id: UUID, mail: MailReceiver, database: str) -> None:
    mail.will_refuse(REVIEWER, "451 try again later")
    _ask(org_id)

    deliver(org_id, seconds=20)
    deliver(org_id, seconds=20)

    failed = rows("SELECT attempts, due_at > now(), error LIKE '%451%' FROM approval_notices WHERE sent_at IS NULL")
    assert failed == [(1, True, True)]
    assert [each.recipients for each in mail.messages] == [(OWNER,)]

    mail._refused.clear()
    _as_admin(database, "UPDATE approval_notices SET due_at = now() WHERE sent_at IS NULL")
    deliver(org_id, seconds=20)

    assert len(told(mail, REVIEWER)) == 1
    assert rows("SELECT count(*) FROM approval_notices WHERE sent_at IS NULL") == [(0,)]


def test_who_claims_first_sends_and_a_dead_sender_is_made_up_for(
    org_id: UUID, mail: MailReceiver, database: str
) -> None:
    _ask(org_id)
    with org_session(org_id) as session:
        for recipient in ready(urgent_only=False, session=session):
            claim(recipient, session=session)

    deliver(org_id, seconds=20)
    assert mail.messages == []

    _as_admin(database, "UPDATE approval_notices SET due_at = due_at - interval '1 minute'")
    deliver(org_id, seconds=20)
    assert len(mail.messages) == 2


def test_a_reminder_comes_once_at_each_mark_to_those_who_have_not_voted(
    org_id: UUID, mail: MailReceiver, database: str
) -> None:
    two = ApprovalPolicy(stages=(Stage(groups=(Group(needed=2),)),), expires_after=timedelta(hours=10))
    now = datetime.now(UTC)
    approval_id = add_approval(
        org_id,
        add_run(org_id),
        policy=two.model_dump(mode="json"),
        expires_at=now + timedelta(hours=4),
        remind_at=now - timedelta(hours=1),
    )
    decide(approval_id, DecisionRequest(decision=Decision.APPROVE, reviewer=OWNER, via=DecisionPath.FORM))

    for _ in range(3):
        keep_queue()

    assert [each.recipients for each in mail.messages] == [(REVIEWER,)]
    assert "still waits" in told(mail, REVIEWER)[0]
    assert rows("SELECT reminders_sent, remind_at > now() FROM agent_pending_actions") == [(1, True)]

    _as_admin(database, "UPDATE agent_pending_actions SET expires_at = now() + interval '1 hour', remind_at = now()")
    _as_admin(database, "UPDATE approval_notices SET sent_at = sent_at - interval '5 minutes'")
    for _ in range(3):
        keep_queue()

    assert len(told(mail, REVIEWER)) == 2
    assert rows("SELECT reminders_sent, remind_at FROM agent_pending_actions") == [(2, None)]


def test_an_escalation_is_told_to_whom_it_is_escalated(org_id: UUID, mail: MailReceiver) -> None:
    policy = ApprovalPolicy(
        stages=(Stage(groups=(Group(users=frozenset({REVIEWER})),)),), on_expiry=ExpiryOutcome.ESCALATE
    )
    past = datetime.now(UTC) - timedelta(seconds=1)
    add_approval(org_id, add_run(org_id), policy=policy.model_dump(mode="json"), expires_at=past)

    keep_queue()

    assert [each.recipients for each in mail.messages] == [(OWNER,)]
    assert "was escalated" in told(mail, OWNER)[0]
    assert rows("SELECT status, escalated, remind_at > now() FROM agent_pending_actions") == [("pending", True, True)]


def test_the_next_stage_is_told_when_it_opens(org_id: UUID, mail: MailReceiver) -> None:
    stages = tuple(Stage(name=email, groups=(Group(users=frozenset({email})),)) for email in (REVIEWER, OWNER))
    approval_id = _ask(org_id, policy=ApprovalPolicy(stages=stages).model_dump(mode="json"))
    deliver(org_id, seconds=20)
    decide(approval_id, DecisionRequest(decision=Decision.APPROVE, reviewer=REVIEWER, via=DecisionPath.FORM))
    deliver(org_id, seconds=20)

    assert [each.recipients for each in mail.messages] == [(REVIEWER,), (OWNER,)]


def test_a_role_can_be_told_by_a_signed_webhook(org_id: UUID, mail: MailReceiver, hook: WebhookReceiver) -> None:
    for role in ("reviewer", "owner"):
        add_route(Route(role=role, channel=Channel.WEBHOOK, target="receiver"), person=None, org_id=org_id)
    approval_id = _ask(org_id)

    deliver(org_id, seconds=20)

    (call,) = hook.deliveries
    assert call.body["approvals"][0]["approval"] == str(approval_id)
    signed = f"{call.headers['webhook-id']}.{call.headers['webhook-timestamp']}.".encode() + call.raw
    proof = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert call.headers["webhook-signature"] == f"v1,{proof}"
    assert mail.messages == []


def test_a_role_can_be_told_in_slack(
    org_id: UUID,
    prefect_api: str,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for role in ("reviewer", "owner"):
        add_route(Route(role=role, channel=Channel.SLACK, target="approvals"), person=None, org_id=org_id)
    _ask(org_id, title="Publish <!channel> to all.")
    with receiving_slack(monkeypatch) as slack:
        deliver(org_id, seconds=20)

    (said,) = slack.said
    assert "Publish" in said
    assert "<!" not in said
    assert rows("SELECT channel, address FROM approval_notices WHERE sent_at IS NOT NULL") == [("slack", "approvals")]
    assert "hooks.slack.com" not in str(rows("SELECT * FROM approval_notices, notice_routes"))


def test_a_channel_that_does_not_exist_says_so_and_is_tried_again(org_id: UUID, hook: WebhookReceiver) -> None:  # noqa: ARG001
    for role in ("reviewer", "owner"):
        add_route(Route(role=role, channel=Channel.SLACK, target="missing"), person=None, org_id=org_id)
    _ask(org_id)

    deliver(org_id, seconds=20)

    assert rows("SELECT error, dropped_at FROM approval_notices") == [
        ("not_configured: there is no block slack-webhook/missing", None)
    ]


def test_a_run_tells_its_reviewers_before_it_waits_and_opening_the_link_changes_nothing(
    bench: Bench, mail: MailReceiver
) -> None:
    bench.plan(step("first", "note_high", text="first"), step("second", "note_high", text="second"))
    run = bench.run_beside()
    wait_for(lambda: told(mail, REVIEWER))
    (said,) = told(mail, REVIEWER)
    wait_for(lambda: len(pending()) == 2)
    before = rows("SELECT * FROM agent_pending_actions ORDER BY id")

    (link, *_) = [word for word in said.split() if word.startswith("http://")]
    api = link.replace("/runs/flow-run/", "/api/flow_runs/")
    for address in (link, api, f"{api}/input/gate-1"):
        httpx.get(address, auth=("maos", "test"), trust_env=False)

    assert rows("SELECT * FROM agent_pending_actions ORDER BY id") == before
    assert "step first" in said
    assert "step second" in said
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)
    assert run.end().is_completed()


def test_a_channel_that_fails_does_not_fail_the_run(bench: Bench, mail: MailReceiver) -> None:
    for address in (REVIEWER, OWNER):
        mail.will_refuse(address)
    bench.plan(step("act", "note_high", text="acted"))
    run = bench.run_beside()
    wait_for(pending)
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)

    assert run.end().is_completed()
    assert mail.messages == []


def test_without_a_mail_server_the_run_goes_on_and_says_why_nobody_was_told(bench: Bench) -> None:
    MailServer().save("default", overwrite=True)
    bench.plan(step("act", "note_high", text="acted"))
    run = bench.run_beside()
    wait_for(pending)
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)

    assert run.end().is_completed()
    # Whoever could not be tried in time was dropped when it was decided.
    assert (True,) in rows("SELECT error LIKE '%mail-server/default has no host%' FROM approval_notices")


def test_members_alone_are_told(org_id: UUID, mail: MailReceiver) -> None:
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)
        ensure_member("stranger@other.example", "Stranger", "reviewer", org_id=other, session=session)
    _ask(org_id)

    deliver(org_id, seconds=20)

    assert "stranger@other.example" not in {each.recipients[0] for each in mail.messages}
