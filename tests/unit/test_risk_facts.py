"""The risk of an action with its parameters: what raises it, what cannot be read, and that nothing lowers it."""

import random
from decimal import Decimal

import pytest
from pydantic import BaseModel

from maos.actions import ActionSpec, AmountField, JsonObject
from maos.effects import Effect, EffectKind
from maos.policy import Policy
from maos.rendering import TemplateText
from maos.risk import UNREADABLE, Amount, RiskFacts, RiskLevel, RiskRule
from maos.risk_facts import awaits_outcomes, facts_of, may_be_raised, risk_of
from tests.runs import SERVICE

LOW, MEDIUM, HIGH, CRITICAL = RiskLevel


class Letter(BaseModel):
    to: TemplateText = ""
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    url: str = ""
    text: TemplateText = ""


class Payment(BaseModel):
    sum: TemplateText = "0"
    money: str = "EUR"


def spec(name: str, model: type[BaseModel] = Letter, risk: RiskLevel = LOW, **facts: object) -> ActionSpec:
    return ActionSpec.model_validate(
        {"name": name, "engine": SERVICE, "risk": risk, "title": "Act.", "parameters": model, **facts}
    )


LETTER = spec("letter", effect=Effect(kind=EffectKind.EMAIL))
PAYMENT = spec("pay", Payment, amount=AmountField(amount="sum", currency="money"))
NOTE = spec("note")


def people(count: int) -> list[str]:
    return [f"p{number}@example.com" for number in range(count)]


def euros(amount: str) -> Amount:
    return Amount(amount=Decimal(amount), currency="EUR")


@pytest.mark.parametrize(
    ("parameters", "recipients", "domains"),
    [
        ({}, 0, set()),
        ({"to": "ann@Example.com"}, 1, {"example.com"}),
        ({"to": "ann@a.example, bob@b.example; eve@b.example"}, 3, {"a.example", "b.example"}),
        ({"to": ["ann@a.example"], "cc": ["ANN@a.example"], "bcc": ["eve@c.example"]}, 2, {"a.example", "c.example"}),
        ({"url": "https://hooks.example.com:8443/x?y=@z"}, 0, {"hooks.example.com"}),
        ({"text": "write to eve@evil.example"}, 0, set()),
    ],
)
def test_whom_an_action_reaches_is_read_from_its_parameters(
    parameters: JsonObject, recipients: int, domains: set[str]
) -> None:
    assert facts_of(LETTER, parameters) == RiskFacts(recipients=recipients, domains=frozenset(domains))


def test_an_action_without_an_effect_reaches_nobody() -> None:
    assert facts_of(NOTE, {"to": people(99)}) == RiskFacts()


@pytest.mark.parametrize(
    ("parameters", "amount"),
    [
        ({"sum": "1000.50", "money": "eur"}, euros("1000.50")),
        ({"sum": 7, "money": "EUR"}, euros("7")),
        # Money that comes back is moved as well.
        ({"sum": "-5", "money": "EUR"}, euros("5")),
        ({"sum": None, "money": "EUR"}, UNREADABLE),
        ({"sum": "{{ x }}", "money": "EUR"}, UNREADABLE),
        ({"sum": "1e99", "money": "EUR"}, UNREADABLE),
        ({"sum": "NaN", "money": "EUR"}, UNREADABLE),
        ({"sum": "5", "money": "euros"}, UNREADABLE),
        ({}, UNREADABLE),
    ],
)
def test_the_money_that_an_action_moves_is_read_or_unreadable(parameters: JsonObject, amount: Amount) -> None:
    assert facts_of(PAYMENT, parameters).amount == amount


OVER = RiskRule(raise_to=HIGH, amount_over=euros("1000"))
OUTSIDE = RiskRule(raise_to=HIGH, outside=frozenset({"example.com"}))
NAMED = RiskRule(raise_to=MEDIUM, actions=frozenset({"note"}))
MANY = RiskRule(raise_to=HIGH, recipients_over=3)
BOTH = RiskRule(raise_to=CRITICAL, actions=frozenset({"letter"}), recipients_over=1)


@pytest.mark.parametrize(
    ("of", "parameters", "rules", "risk"),
    [
        (LETTER, {"to": people(10)}, (), LOW),
        # Customer communication at large, whatever an organisation says.
        (LETTER, {"to": people(11)}, (), CRITICAL),
        (LETTER, {"to": people(4)}, (MANY,), HIGH),
        (LETTER, {"to": people(2)}, (MANY, BOTH), CRITICAL),
        (LETTER, {"to": "eve@evil.example"}, (OUTSIDE,), HIGH),
        (LETTER, {"to": "ann@example.com"}, (OUTSIDE,), LOW),
        # A name below it is another name.
        (LETTER, {"to": "ann@mail.example.com"}, (OUTSIDE,), HIGH),
        (PAYMENT, {"sum": "1000", "money": "EUR"}, (OVER,), LOW),
        (PAYMENT, {"sum": "1000.01", "money": "EUR"}, (OVER,), HIGH),
        # Of another currency nobody knows how much it is.
        (PAYMENT, {"sum": "1", "money": "USD"}, (OVER,), HIGH),
        (PAYMENT, {"sum": "much", "money": "EUR"}, (), CRITICAL),
        (NOTE, {}, (NAMED,), MEDIUM),
        (NOTE, {}, (OVER, OUTSIDE, MANY, BOTH), LOW),
        (None, {}, (), CRITICAL),
    ],
)
def test_what_raises_a_risk(
    of: ActionSpec | None, parameters: JsonObject, rules: tuple[RiskRule, ...], risk: RiskLevel
) -> None:
    assert risk_of(of, parameters, Policy(risk_rules=rules)) is risk


@pytest.mark.parametrize("seed", range(200))
def test_no_parameters_and_no_rules_lower_a_risk(seed: int) -> None:
    draw = random.Random(seed)  # noqa: S311 - no secret
    declared = draw.choice(list(RiskLevel))
    acting = spec("letter", risk=declared, effect=draw.choice([None, Effect(kind=EffectKind.EMAIL)]))
    if draw.random() < 0.5:
        acting = spec("pay", Payment, risk=declared, amount=AmountField(amount="sum", currency="money"))
    values = [None, "", "x", -1, 10**30, [], people(draw.randrange(30)), "EUR", {"a": 1}, "{{ x }}", "a@b.c,d@e.f"]
    names = ("to", "cc", "bcc", "url", "text", "sum", "money")
    parameters = {name: draw.choice(values) for name in names if draw.random() < 0.7}
    rules = tuple(_drawn(draw) for _ in range(draw.randrange(5)))

    fewer = risk_of(acting, parameters, Policy(risk_rules=rules[:-1]))
    all_of_them = risk_of(acting, parameters, Policy(risk_rules=rules))

    assert declared.rank <= fewer.rank <= all_of_them.rank


def _drawn(draw: random.Random) -> RiskRule:
    return RiskRule(
        raise_to=draw.choice(list(RiskLevel)),
        actions=draw.choice([None, frozenset({"letter"}), frozenset({"pay"})]),
        amount_over=draw.choice([None, euros("10")]),
        recipients_over=draw.randrange(15),
        outside=draw.choice([None, frozenset({"example.com"})]),
    )


@pytest.mark.parametrize(
    ("of", "parameters", "awaits"),
    [
        (LETTER, {"to": "{{ who.address }}"}, True),
        (LETTER, {"to": "ann@example.com", "text": "{{ x }}"}, False),
        # No template: it is not rendered.
        (LETTER, {"cc": ["{{ x }}"]}, False),
        (PAYMENT, {"sum": "{{ bill.total }}", "money": "EUR"}, True),
        (NOTE, {"to": "{{ x }}"}, False),
    ],
)
def test_a_plan_says_where_only_outcomes_decide_the_risk(of: ActionSpec, parameters: JsonObject, awaits: bool) -> None:
    assert awaits_outcomes(of, parameters, Policy()) is awaits


def test_what_can_be_raised_has_an_effect_or_an_amount_or_is_named() -> None:
    named = Policy(risk_rules=(NAMED,))

    assert [may_be_raised(each, Policy()) for each in (LETTER, PAYMENT, NOTE)] == [True, True, False]
    assert may_be_raised(NOTE, named)


def test_an_amount_names_parameters_of_its_action() -> None:
    with pytest.raises(ValueError, match="amount names no parameter: total"):
        spec("pay", Payment, amount=AmountField(amount="total", currency="money"))
