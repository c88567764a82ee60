from decimal import Decimal
from uuid import UUID

import pytest

from maos.approval_policy import ApprovalPolicy, Group, Stage
from maos.approvals import Approval, ApprovalKind
from maos.bulk import comparison_of, sameness_of
from maos.risk import RiskLevel
from maos.statuses import ApprovalStatus
from tests.runs import approval


def _asks(number: int = 1, **changes: object) -> Approval:
    parameters = {"to": f"customer{number}@x.example", "mail": {"subject": "May", "body": "Hello"}}
    payload = {
        "agent": {"name": "clerk"},
        "parameters": parameters,
        "inputs": {},
        "plan_digest": f"{number}" * 64,
        "rules_digest": "0" * 64,
    }
    return approval("mail", ApprovalStatus.PENDING, id=UUID(int=number), payload=payload).model_copy(update=changes)


def _payload(parameters: object) -> dict[str, object]:
    return {**_asks().payload, "parameters": parameters}


def test_what_differs_in_values_alone_is_the_same() -> None:
    assert sameness_of(_asks(1)) == sameness_of(_asks(2, cost_ceiling_usd=Decimal(3), risk=RiskLevel.CRITICAL))


@pytest.mark.parametrize(
    "changes",
    [
        {"org_id": UUID(int=9)},
        {"action": "other"},
        {"kind": ApprovalKind.IN_DOUBT},
        {"policy": ApprovalPolicy(stages=(Stage(groups=(Group(needed=2),)),))},
        {"policy": ApprovalPolicy(codes_required=True)},
        {"payload": _payload({"to": "x", "mail": {"subject": "May"}})},
        {"payload": _payload({"to": "x", "mail": {"subject": "May", "body": "Hello"}, "copy": "y"})},
    ],
)
def test_what_belongs_elsewhere_is_not_the_same(changes: dict[str, object]) -> None:
    assert sameness_of(_asks(1)) != sameness_of(_asks(2, **changes))


def test_the_same_deciders_in_another_order_are_the_same() -> None:
    first = ApprovalPolicy(users=frozenset(f"p{number}@x.example" for number in range(20)))
    again = ApprovalPolicy(users=frozenset(f"p{number}@x.example" for number in reversed(range(20))))

    assert sameness_of(_asks(1, policy=first)) == sameness_of(_asks(2, policy=again))


def test_what_is_equal_is_shown_once_and_the_rest_in_a_table() -> None:
    comparison = comparison_of([_asks(1), _asks(2, cost_ceiling_usd=Decimal("0.5"))], {})

    assert comparison.columns == ("cost at most", "to")
    assert comparison.rows == (("0 USD", "customer1@x.example"), ("0.5 USD", "customer2@x.example"))
    assert comparison.equal["mail"] == '{"body":"Hello","subject":"May"}'
    assert comparison.equal["by agent"] == "clerk"
    assert not {"plan_digest", "rules_digest"} & comparison.equal.keys()


def test_a_nested_difference_is_shown_by_its_path() -> None:
    other = _payload({"to": "customer1@x.example", "mail": {"subject": "June", "body": "Hello"}})

    comparison = comparison_of([_asks(1), _asks(2, payload=other)], {})

    assert comparison.columns == ("mail.subject",)
    assert comparison.rows == (("May",), ("June",))
    assert comparison.equal["mail.body"] == "Hello"


def test_what_they_read_is_compared_by_its_digest() -> None:
    reading = {**_asks().payload, "inputs": {"report": "a" * 64}}
    other = {**_asks().payload, "inputs": {"report": "b" * 64}}

    comparison = comparison_of([_asks(1, payload=reading), _asks(2, payload=other)], {})

    assert comparison.columns == ("reads report",)
    assert comparison.reads_differ


def test_equals_have_a_row_each_and_no_columns() -> None:
    comparison = comparison_of([_asks(1), _asks(1)], {})

    assert comparison.columns == ()
    assert comparison.rows == ((), ())


def test_plans_are_compared_by_the_steps_that_they_cover() -> None:
    def plan(number: int, step: str) -> Approval:
        covers = [{"step_id": step, "payload": _asks(number).payload}]
        return _asks(number, kind=ApprovalKind.PLAN, payload={"covers": covers})

    assert sameness_of(plan(1, "mail")) == sameness_of(plan(2, "mail"))
    assert sameness_of(plan(1, "mail")) != sameness_of(plan(2, "call"))
    assert comparison_of([plan(1, "mail"), plan(2, "mail")], {}).columns == ("steps.mail.to",)
