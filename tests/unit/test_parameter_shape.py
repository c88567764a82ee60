"""The shape of parameters tells what could make one request more harmful than another, and no value."""

from decimal import Decimal
from enum import StrEnum
from random import Random
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from maos.parameter_shape import LONGEST_SHAPE, closed_fields, shape_of
from maos.risk import Amount, RiskFacts

INSIDE = frozenset({"demo.example"})
NO_FACTS = RiskFacts()


def _shape(parameters: dict[str, Any], facts: RiskFacts = NO_FACTS, *, inside: frozenset[str] = INSIDE) -> str:
    return shape_of(parameters, facts, closed=frozenset({"mode"}), inside=inside)


def _paid(amount: str, currency: str = "EUR") -> RiskFacts:
    return RiskFacts(amount=Amount(amount=Decimal(amount), currency=currency))


def test_it_says_which_fields_are_set_and_what_kind_of_thing_they_hold() -> None:
    given = {"subject": "Hello", "urgent": True, "copies": 3, "note": None, "tags": [], "mode": "add"}

    assert _shape(given) == "copies=number<10^1 mode='add' subject=text urgent=yes"
    assert _shape({}) == "nothing"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"text": "a"}, {"text": "b" * 1000}),
        ({"text": "a", "note": ""}, {"text": "a"}),
        ({"to": ["a@demo.example", "b@demo.example"]}, {"to": ["c@demo.example"] * 5}),
        ({"copies": 11}, {"copies": 99}),
        ({"price": "10.00"}, {"price": 99}),
    ],
)
def test_requests_of_one_kind_have_one_shape(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert _shape(one) == _shape(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"text": "a"}, {"text": "a", "attachment": "b"}),
        ({"mode": "add"}, {"mode": "delete"}),
        ({"urgent": False}, {"urgent": True}),
        ({"copies": 99}, {"copies": 100}),
        ({"price": "99.99"}, {"price": "100"}),
        ({"change": 5}, {"change": -5}),
        ({"to": ["a@demo.example"]}, {"to": ["a@demo.example", "b@demo.example"]}),
        ({"to": ["a@demo.example"]}, {"to": ["a@else.example"]}),
        ({"to": ["a@one.example"]}, {"to": ["a@two.example"]}),
        ({"url": "https://one.example/a"}, {"url": "https://two.example/a"}),
        ({"url": "https://one.example/a"}, {"url": "https://[bad"}),
        ({"fields": {"phone": "1"}}, {"fields": {"credit_limit": "1"}}),
        ({"fields": {"a b": "x"}}, {"fields": {"a c": "x"}}),
        ({"items": ["a"]}, {"items": [1]}),
    ],
)
def test_what_could_be_more_harmful_has_another_shape(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert _shape(one) != _shape(other)


def test_amounts_are_told_by_their_power_of_ten_and_currency() -> None:
    assert _shape({}, _paid("120")) == _shape({}, _paid("999.99")) == "amount<10^3 EUR"
    assert len({_shape({}, _paid(*paid)) for paid in (("0",), ("0.5",), ("9",), ("10",), ("10", "USD"))}) == 5


@pytest.mark.parametrize(
    ("number", "told"), [(1, "1"), (2, "2-5"), (5, "2-5"), (6, "6-20"), (100, "21-100"), (101, "100+")]
)
def test_recipients_are_told_by_the_class_of_their_number(number: int, told: str) -> None:
    assert _shape({}, RiskFacts(recipients=number)) == f"recipients:{told}"


def test_a_domain_that_is_taken_inside_later_is_not_covered_by_what_was_inside_before() -> None:
    before = _shape({"to": ["a@demo.example"]})

    assert _shape({"to": ["a@demo.example"]}, inside=INSIDE | {"new.example"}) != before
    assert _shape({"to": ["a@new.example"]}, inside=INSIDE | {"new.example"}) != before


def test_addresses_in_any_field_count_beside_those_that_the_facts_name() -> None:
    named = _shape({"to": ["a@one.example"]}, RiskFacts(recipients=1, domains=frozenset({"one.example"})))

    assert named.endswith(_shape({"to": ["a@one.example"]}).split()[-1])
    assert "outside#" in _shape({"whom": {"mail": "A@One.Example"}})


def test_the_order_of_fields_does_not_matter_and_no_long_value_is_told() -> None:
    random = Random(7)  # noqa: S311 - reproducible cases
    for _ in range(300):
        values: dict[str, Any] = {f"field_{n}": _value(random) for n in range(random.randint(1, 8))}
        shuffled = dict(random.sample(list(values.items()), len(values)))

        shape = _shape(values)

        assert shape == _shape(shuffled)
        assert not [word for word in _words(values) if word in shape]


def _value(random: Random) -> Any:
    word = "".join(random.choices("qxzjkvw", k=8))
    return random.choice(
        [word, f"{word}@{word}.example", f"https://{word}.example/{word}", [word, word], {word * 9: word}, 7.25, True]
    )


def _words(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [word for item in value.values() for word in _words(item)]
    if isinstance(value, list):
        return [word for item in value for word in _words(item)]
    return [value, value[:8]] if isinstance(value, str) else []


def test_a_very_long_shape_is_told_by_its_digest() -> None:
    many = {f"field_{n}": "x" for n in range(200)}

    assert len(_shape(many)) <= LONGEST_SHAPE
    assert _shape(many) != _shape({**many, "more": "x"})


class Mode(StrEnum):
    """A closed set."""

    ADD = "add"


class Inner(BaseModel):
    """What a field holds."""

    kind: Literal["a", "b"] = "a"
    text: str = ""


class Outer(BaseModel):
    """Parameters with closed sets in them."""

    mode: Mode | None = None
    inner: Inner = Inner()
    many: tuple[Inner, ...] = ()
    text: str = ""


def test_fields_that_choose_from_a_closed_set_are_found_wherever_they_are() -> None:
    closed = closed_fields(Outer)

    assert closed == {"mode", "inner.kind", "many.kind"}
    shapes = {
        shape_of(Outer.model_validate(given).model_dump(mode="json"), NO_FACTS, closed=closed, inside=frozenset())
        for given in ({"many": [{"kind": "a"}]}, {"many": [{"kind": "b"}]}, {"mode": "add"}, {})
    }
    assert len(shapes) == 4
