"""Who is told of an approval, by which way, when, and in which words."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from maos.approval_policy import ApprovalPolicy, ExpiryOutcome, Group, Stage
from maos.approvals import Approval
from maos.notice_text import Message, Told, ToldBudget
from maos.notices import (
    Channel,
    NoticeKind,
    Person,
    Route,
    addressed,
    is_urgent,
    pause_after,
    recipients_of,
    reminder_at,
    reminders_due,
    told_of_budgets,
)
from maos.risk import RiskLevel
from maos.votes import Vote

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def _person(name: str, *roles: str) -> Person:
    return Person(id=uuid4(), email=f"{name}@demo.example", roles=frozenset(roles))


ANN, BEN, OWNER = _person("ann", "reviewer"), _person("ben", "reviewer"), _person("owner", "owner")
AUTHOR, AUDITOR = _person("author", "author", "reviewer"), _person("auditor", "auditor")
PEOPLE = (ANN, BEN, OWNER, AUTHOR, AUDITOR)
MANAGERS = Group(users=frozenset({ANN.email, BEN.email}), needed=2)
TWO_STAGES = ApprovalPolicy(
    stages=(Stage(name="manager", groups=(MANAGERS,)), Stage(name="finance", groups=(Group(users={OWNER.email}),)))
)


def _approval(policy: ApprovalPolicy = ApprovalPolicy(), **fields: object) -> Approval:  # noqa: B008 - frozen
    asked: dict[str, object] = {
        "id": uuid4(),
        "org_id": uuid4(),
        "run_id": uuid4(),
        "step_id": "publish",
        "action": "publish",
        "engine": "internal_service",
        "title": "Publish the report.",
        "preview": "",
        "payload": {},
        "digest": "0" * 64,
        "risk": "high",
        "cost_ceiling_usd": 0,
        "policy": policy,
        "initiator": AUTHOR.email,
        "started_at": NOW,
        "expires_at": NOW + policy.life_of(RiskLevel.HIGH),
        "status": "pending",
    }
    return Approval.model_validate(asked | fields)


def _told(kind: NoticeKind, approval: Approval, *votes: Vote) -> set[str]:
    return {person.email.partition("@")[0] for person in addressed(kind, approval, PEOPLE, votes)}


def test_whoever_may_decide_is_told_and_never_who_asked() -> None:
    assert _told(NoticeKind.REQUESTED, _approval()) == {"ann", "ben", "owner"}


def test_of_stages_only_the_open_one_is_told() -> None:
    assert _told(NoticeKind.REQUESTED, _approval(TWO_STAGES)) == {"ann", "ben"}
    assert _told(NoticeKind.REQUESTED, _approval(TWO_STAGES, stage=1)) == {"owner"}


def test_who_has_voted_is_not_reminded() -> None:
    vote = Vote(email=ANN.email, approves=True)

    assert _told(NoticeKind.REMINDER, _approval(TWO_STAGES), vote) == {"ben"}


def test_who_has_voted_on_what_it_was_before_an_edit_is_reminded() -> None:
    vote = Vote(email=ANN.email, approves=True)

    assert _told(NoticeKind.REMINDER, _approval(TWO_STAGES, revision=2), vote) == {"ann", "ben"}


def test_of_an_escalation_those_are_told_whom_it_is_escalated_to() -> None:
    to_owner = ApprovalPolicy(stages=(Stage(groups=(MANAGERS,)),), on_expiry=ExpiryOutcome.ESCALATE)

    assert _told(NoticeKind.ESCALATED, _approval(to_owner, escalated=True)) == {"owner"}
    assert _told(NoticeKind.ESCALATED, _approval(TWO_STAGES, escalated=True)) == {"owner"}
    assert _told(NoticeKind.REMINDER, _approval(to_owner, escalated=True)) == {"ann", "ben", "owner"}


def test_of_its_end_is_told_who_asked() -> None:
    assert _told(NoticeKind.EXPIRED, _approval(status="expired")) == {"author"}


def test_without_a_route_people_are_told_by_email() -> None:
    (only,) = recipients_of([ANN], [], RiskLevel.LOW)

    assert (only.channel, only.address, only.user_id) == (Channel.EMAIL, ANN.email, ANN.id)


def test_a_route_of_a_role_makes_one_message_for_all_of_it() -> None:
    route = Route(role="reviewer", channel=Channel.SLACK, target="approvals")

    found = recipients_of([ANN, BEN, OWNER], [route], RiskLevel.LOW)

    assert [(each.channel, each.address) for each in found] == [("slack", "approvals"), ("email", OWNER.email)]
    assert found[0].user_id is None


@pytest.mark.parametrize("risk", RiskLevel)
def test_a_route_is_taken_from_its_risk_on(risk: RiskLevel) -> None:
    route = Route(user_id=ANN.id, minimum_risk=RiskLevel.HIGH, channel=Channel.EMAIL)

    assert bool(recipients_of([ANN], [route], risk)) == (risk.rank >= RiskLevel.HIGH.rank)


@pytest.mark.parametrize("risk", RiskLevel)
def test_high_and_critical_requests_are_urgent_and_no_reminder_is(risk: RiskLevel) -> None:
    assert is_urgent(NoticeKind.REQUESTED, risk) == (risk in {RiskLevel.HIGH, RiskLevel.CRITICAL})
    assert not is_urgent(NoticeKind.REMINDER, risk)


def test_a_stage_reminds_at_half_and_at_four_fifths_of_its_life() -> None:
    approval = _approval(ApprovalPolicy(expires_after=timedelta(hours=10)))

    assert [reminder_at(approval, sent=sent) for sent in range(3)] == [
        NOW + timedelta(hours=5),
        NOW + timedelta(hours=8),
        None,
    ]


def test_missed_reminders_are_made_up_for_by_one() -> None:
    approval = _approval(ApprovalPolicy(expires_after=timedelta(hours=10)))

    assert [reminders_due(approval, sent=0, now=NOW + timedelta(hours=hours)) for hours in (4, 5, 9)] == [0, 1, 2]


def test_a_channel_that_fails_is_let_alone_longer_each_time_up_to_an_hour() -> None:
    pauses = [pause_after(attempts) for attempts in range(1, 13)]

    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (timedelta(minutes=1), timedelta(hours=1))


@pytest.mark.parametrize("stages", [1, 2, 5])
def test_no_way_of_stages_and_escalations_outlives_what_prefect_is_told(stages: int) -> None:
    policy = ApprovalPolicy(stages=tuple(Stage(name=str(number)) for number in range(stages)))
    shown = _approval(policy)

    # Every stage is escalated at its very end and decided at the very end of that.
    last, end = shown.expires_at, shown.expires_at + shown.longest_rest
    for stage in range(stages):
        last += policy.life_of(shown.risk) * (2 if stage else 1)

    assert last <= end


def _line(**fields: object) -> Told:
    told: dict[str, object] = {
        "kind": "requested",
        "approval": UUID(int=1),
        "run": UUID(int=2),
        "step": "publish",
        "title": "Publish the report.",
        "risk": "high",
        "asked_by": "author@demo.example",
        "decide_before": NOW,
        "page": "https://prefect.example/runs/flow-run/2",
    }
    return Told.model_validate(told | fields)


def _message(*told: Told) -> Message:
    return Message(org="demo", told=told)


def test_a_message_says_who_asks_what_the_risk_until_when_and_where() -> None:
    message = _message(_line())

    for text in (message.text, message.html, message.slack):
        for part in ("author@demo.example", "Publish the report.", "high", "2026-11-28 12:00 UTC", "flow-run/2"):
            assert part in text
    assert message.subject == "[maos demo] high: Publish the report. (waits for a decision)"


def test_the_riskiest_comes_first_and_a_long_message_counts_the_rest() -> None:
    message = _message(*[_line(risk="low")] * 60, _line(risk="critical", title="Pay."))

    assert message.text.startswith("critical: Pay.")
    assert "And 11 more: maos approvals list --org demo" in message.text
    assert message.subject == "[maos demo] 61 approvals, the riskiest critical"


def test_a_title_cannot_add_a_header_markup_or_a_call() -> None:
    message = _message(_line(title="Pay\r\nBcc: all@evil.example <!channel> <script>"))

    assert "\n" not in message.subject
    assert "<script>" not in message.html
    assert not {"<", ">"} & set(message.slack)


def test_the_json_is_what_a_program_needs() -> None:
    (only,) = json.loads(_message(_line()).content)["approvals"]

    assert only["page"] == "https://prefect.example/runs/flow-run/2"
    assert (only["kind"], only["risk"], only["decide_before"]) == ("requested", "high", "2026-11-28T12:00:00Z")


def test_of_budgets_owners_and_operators_are_told() -> None:
    operator = _person("op", "operator", "reviewer")

    assert told_of_budgets([*PEOPLE, operator]) == [OWNER, operator]


def _budget(**fields: object) -> ToldBudget:
    told: dict[str, object] = {
        "budget": "usd of the agent <b>painter</b>\r\nBcc: x@evil.example a month",
        "scope": "agent",
        "name": "painter",
        "unit": "usd",
        "period": "month",
        "begins": "2026-11-01",
        "percent": 80,
        "limit": "10",
        "spent": "8.5",
        "left": "1",
    }
    return ToldBudget.model_validate(told | fields)


def test_a_budget_is_told_with_what_is_spent_and_left_and_adds_no_header_or_markup() -> None:
    message = Message(org="demo", budgets=(_budget(),))

    assert "from 2026-11-01: 80 % reached" in message.subject
    assert "\n" not in message.subject
    for text in (message.text, message.html, message.slack):
        assert "8.5 USD of 10 USD spent, 1 USD left" in text
        assert "Opening a link" not in text
    assert "<b>" not in message.html
    assert not {"<", ">"} & set(message.slack)


def test_approvals_and_budgets_share_a_message() -> None:
    message = Message(org="demo", told=(_line(),), budgets=(_budget(), _budget(percent=100)))

    assert message.subject.startswith("[maos demo] high: Publish the report.")
    assert message.subject.endswith("; 2 budgets come to their end")
    assert message.text.index("Publish the report.") < message.text.index("100 %") < message.text.index("80 %")
    assert message.html.count("<table") == 2
