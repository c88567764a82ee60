"""Every rule that a decision has to satisfy refuses by its name."""

import json
from datetime import timedelta

import pytest

from maos.approval_policy import ApprovalPolicy, DecidingRole, Group, Stage
from maos.approvals import Approval, ApprovalKind, Decision
from maos.decisions import DecisionRequest, Reviewer, Rule, refusal_of
from maos.statuses import ApprovalStatus
from maos.votes import Vote
from tests.runs import NOW, approval

ANN = Reviewer(email="ann@x.example", roles=frozenset({"reviewer"}))
PENDING = approval("act", ApprovalStatus.PENDING, expires_at=NOW + timedelta(hours=1))
FINANCE = ApprovalPolicy(stages=(Stage(groups=(Group(roles=frozenset({DecidingRole.OWNER})),)),))
APPROVE = DecisionRequest(decision=Decision.APPROVE, reviewer=ANN.email, via="form")


def _with(**changes: object) -> Approval:
    return PENDING.model_copy(update=changes)


def _asks(decision: Decision, **fields: object) -> DecisionRequest:
    return APPROVE.model_copy(update={"decision": decision, **fields})


@pytest.mark.parametrize(
    ("asked", "request_", "reviewer", "votes", "rule"),
    [
        (_with(status=ApprovalStatus.REJECTED), APPROVE, ANN, (), Rule.DECIDED),
        (_with(expires_at=NOW), APPROVE, ANN, (), Rule.EXPIRED),
        (PENDING, APPROVE, Reviewer(email="x@y.z"), (), Rule.MEMBER),
        (PENDING, APPROVE, Reviewer(email="x@y.z", roles=frozenset({"auditor"})), (), Rule.ROLE),
        (_with(policy=ApprovalPolicy(users=frozenset({"b@x.example"}))), APPROVE, ANN, (), Rule.NAMED),
        (_with(initiator=ANN.email), APPROVE, ANN, (), Rule.SELF),
        (_with(acting_for=frozenset({ANN.email})), APPROVE, ANN, (), Rule.SELF),
        (PENDING, APPROVE, ANN, (Vote(email=ANN.email, approves=True),), Rule.VOTED),
        (_with(policy=FINANCE), APPROVE, ANN, (), Rule.STAGE),
        (PENDING, _asks(Decision.APPROVE, seen="f" * 64), ANN, (), Rule.SEEN),
        (PENDING, _asks(Decision.RESPOND, note="no"), ANN, (), Rule.KIND),
        (PENDING, _asks(Decision.REQUEST_CHANGES, note="no"), ANN, (), Rule.KIND),
        (_with(kind=ApprovalKind.PLAN), _asks(Decision.EDIT, edited={"a": 1}), ANN, (), Rule.KIND),
        (PENDING, _asks(Decision.REJECT, note="a\x00"), ANN, (), Rule.TEXT),
        (PENDING, _asks(Decision.EDIT, edited={"a": [{"b\ud800": 1}]}), ANN, (), Rule.TEXT),
        (PENDING, _asks(Decision.EDIT, edited={"a": float("nan")}), ANN, (), Rule.TEXT),
        (PENDING, _asks(Decision.EDIT, edited={"a": json.loads("[" * 60 + "]" * 60)}), ANN, (), Rule.TEXT),
        (PENDING, _asks(Decision.REJECT), ANN, (), Rule.REASON),
        (_with(caller="think"), _asks(Decision.RESPOND, note=" "), ANN, (), Rule.REASON),
        (_with(caller="think"), _asks(Decision.REQUEST_CHANGES), ANN, (), Rule.REASON),
        (PENDING, _asks(Decision.EDIT), ANN, (), Rule.SCHEMA),
        (PENDING, _asks(Decision.APPROVE, edited={"a": 1}), ANN, (), Rule.SCHEMA),
        (PENDING, _asks(Decision.APPROVE, choice="again"), ANN, (), Rule.CHOICE),
        (_with(kind=ApprovalKind.IN_DOUBT), APPROVE, ANN, (), Rule.CHOICE),
        (_with(policy=ApprovalPolicy(codes_required=True)), APPROVE, ANN, (), Rule.CODE),
    ],
)
def test_each_rule_refuses_by_its_name(
    asked: Approval, request_: DecisionRequest, reviewer: Reviewer, votes: tuple[Vote, ...], rule: Rule
) -> None:
    refusal = refusal_of(asked, request_, reviewer, votes=votes, now=NOW)

    assert refusal is not None
    assert refusal.rule is rule
    assert str(refusal).endswith(f"(rule: {rule.value})")


@pytest.mark.parametrize(
    ("asked", "request_", "reviewer"),
    [
        (PENDING, APPROVE, ANN),
        (PENDING, _asks(Decision.APPROVE, seen=PENDING.digest), ANN),
        (PENDING, _asks(Decision.REJECT, note="why"), ANN),
        (PENDING, _asks(Decision.EDIT, edited={"a": 1}), ANN),
        (_with(caller="think"), _asks(Decision.RESPOND, note="42"), ANN),
        (_with(caller="think"), _asks(Decision.REQUEST_CHANGES, note="shorter"), ANN),
        (_with(policy=ApprovalPolicy(codes_required=True)), APPROVE, ANN.model_copy(update={"verified": True})),
        (_with(initiator=ANN.email, policy=ApprovalPolicy(self_approval=True)), APPROVE, ANN),
        (_with(revision=2), APPROVE, ANN),
    ],
)
def test_a_decision_that_breaks_no_rule_counts(asked: Approval, request_: DecisionRequest, reviewer: Reviewer) -> None:
    assert refusal_of(asked, request_, reviewer, votes=(), now=NOW) is None


def test_a_faulty_request_is_told_so_before_a_code_is_asked_for() -> None:
    asked = _with(policy=ApprovalPolicy(codes_required=True))

    refusal = refusal_of(asked, _asks(Decision.REJECT), ANN, votes=(), now=NOW)

    assert refusal is not None
    assert refusal.rule is Rule.REASON
