"""Policies that name strangers or unknown actions, or that nobody present could carry out, are refused."""

import pytest

from maos.policy import Policy
from maos.policy_check import member_faults, unknown_action_faults
from maos.policy_text import parse_policy

MEMBERS = {
    "ann@a.example": frozenset({"owner"}),
    "bob@a.example": frozenset({"reviewer"}),
    "cid@a.example": frozenset({"reviewer", "owner"}),
    "dan@a.example": frozenset({"author"}),
}


def critical(stages: str, more: str = "") -> Policy:
    return parse_policy(f"approvals: {{critical: {{stages: [{stages}]{more}}}}}")


@pytest.mark.parametrize(
    "stages",
    [
        "{}",
        "{groups: [{needed: 3}]}",
        "{groups: [{roles: [owner], needed: 2}, {roles: [reviewer]}]}",
        # Only a move of somebody who is seated already makes this possible.
        "{groups: [{roles: [reviewer]}, {users: [bob@a.example]}]}",
        "{groups: [{roles: [owner]}]}, {groups: [{roles: [reviewer]}]}, {groups: [{}]}",
    ],
)
def test_what_the_members_can_fill_is_accepted(stages: str) -> None:
    assert member_faults(critical(stages), MEMBERS) == []


@pytest.mark.parametrize(
    ("stages", "stage"),
    [
        ("{groups: [{needed: 4}]}", 1),
        ("{groups: [{roles: [owner], needed: 2}, {users: [cid@a.example]}]}", 1),
        ("{groups: [{users: [dan@a.example]}]}", 1),
        ("{groups: [{roles: []}]}", 1),
        # One person has one vote in all stages.
        ("{groups: [{roles: [owner], needed: 2}]}, {name: money, groups: [{roles: [reviewer], needed: 2}]}", 2),
    ],
)
def test_a_stage_that_nobody_could_fill_is_named(stages: str, stage: int) -> None:
    (fault,) = member_faults(critical(stages), MEMBERS)

    assert fault.startswith(f"approvals.critical.stages.{stage}: stage ")
    assert fault.endswith("the organisation has too few such members")


def test_people_who_are_no_members_are_named_with_their_place() -> None:
    policy = critical("{groups: [{}, {users: [eve@b.example]}]}", ", escalate_to: {users: [max@b.example]}")

    assert member_faults(policy, MEMBERS) == [
        "approvals.critical.stages.1.groups.2.users: 'eve@b.example' is not accepted; "
        "allowed: members of the organisation",
        "approvals.critical.escalate_to.users: 'max@b.example' is not accepted; allowed: members of the organisation",
    ]


def test_whom_it_is_escalated_to_has_to_be_there() -> None:
    escalating = critical("{}", ", on_expiry: escalate, escalate_to: {roles: [owner], needed: 3}")
    waiting = critical("{}", ", escalate_to: {roles: [owner], needed: 3}")

    assert member_faults(escalating, MEMBERS) == [
        "approvals.critical.escalate_to: takes 3 of owner; the organisation has too few such members"
    ]
    assert member_faults(waiting, MEMBERS) == []


def test_actions_that_nobody_knows_are_named() -> None:
    policy = parse_policy("risk_rules: [{raise_to: high, actions: [fly, send]}]")

    assert unknown_action_faults(policy, {"send", "look"}) == [
        "risk_rules.1.actions: 'fly' is not accepted; allowed: look, send"
    ]
