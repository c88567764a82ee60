"""The shape of what an action is asked to do: which fields, how many, how much, whom; never a value of theirs.

Two requests of one shape are alike enough that decisions on the one say something about the other. The shape is part
of what an exemption covers, so whatever could make one of two requests more harmful has to show in it.
"""

import re
from collections.abc import Iterable, Set
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Literal, get_args, get_origin
from urllib.parse import urlsplit

from pydantic import BaseModel

from maos.actions import JsonObject
from maos.canonical import digest_of
from maos.risk import RiskFacts

# Raised with every change of what a shape says: exemptions of another version cover nothing.
SHAPE_VERSION = 1
LONGEST_SHAPE = 500

_COUNTS = ((1, "1"), (5, "2-5"), (20, "6-20"), (100, "21-100"))
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,60}")
_NUMBER = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?")
_MAILBOX = re.compile(r"[^\s@]+@([^\s@]+)")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_DIGITS_OF_DIGEST = 16


def shape_of(parameters: JsonObject, facts: RiskFacts, *, closed: Set[str], inside: Set[str]) -> str:
    """Return the shape of an action's final parameters; the same for the same kind of request, always.

    Args:
        facts: what the parameters say of the harm they can do.
        closed: the fields whose values are from a closed set, by their path: these values are named.
        inside: the domains that are the organisation's own.
    """
    parts = [
        *_fields(parameters, "", closed),
        *_amounts(facts),
        *_domains(facts.domains | _reached(parameters), inside),
    ]
    shape = " ".join(parts) or "nothing"
    return shape if len(shape) <= LONGEST_SHAPE else f"sha256:{digest_of(shape)}"


def closed_fields(model: type[BaseModel], path: str = "") -> frozenset[str]:
    """Return the paths of the fields of a model that choose from a closed set: enumerations and literals."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        for kind in _kinds_of(field.annotation):
            if get_origin(kind) is Literal or (isinstance(kind, type) and issubclass(kind, Enum)):
                found.add(path + name)
            elif isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not model:
                found |= closed_fields(kind, f"{path}{name}.")
    return frozenset(found)


# Any: annotations are types, unions and generics alike.
def _kinds_of(annotation: Any) -> Iterable[Any]:
    if get_origin(annotation) is Literal or not get_args(annotation):
        return [annotation]
    return [kind for argument in get_args(annotation) for kind in _kinds_of(argument)]


def _fields(values: JsonObject, path: str, closed: Set[str]) -> list[str]:
    """Describe the fields that are set; an empty one is as good as left out."""
    return [
        f"{_name(name)}={_kind(value, path + name, closed)}"
        for name, value in sorted(values.items())
        if value not in (None, "", [], {})
    ]


def _name(name: str) -> str:
    # In a free mapping the keys are data.
    return name if _NAME.fullmatch(name) else f"#{_digest(name)}"


def _kind(value: object, path: str, closed: Set[str]) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(_fields(value, f"{path}.", closed)) + "}"
    if isinstance(value, list):
        kinds = sorted({_kind(item, path, closed) for item in value})
        return f"{_count(len(value))}x({'|'.join(kinds)})"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) and path in closed:
        return ascii(value)
    if _domain(value):
        return "address"
    number = _number(value)
    return "text" if number is None else f"number{_magnitude(number)}"


def _domain(value: object) -> str | None:
    """Return the domain of a value that is an address of a person or on the network as a whole."""
    if not isinstance(value, str):
        return None
    if mailbox := _MAILBOX.fullmatch(value.strip()):
        return mailbox[1].lower()
    try:
        return urlsplit(value.strip()).hostname if _URL.fullmatch(value.strip()) else None
    except ValueError:
        # No host can be read in it: it is like no other.
        return f"#{_digest(value)}"


def _reached(value: object) -> frozenset[str]:
    """Return the domains of all addresses, in whatever field they stand."""
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return frozenset().union(*map(_reached, items))
    domain = _domain(value)
    return frozenset({domain}) if domain else frozenset()


def _number(value: object) -> Decimal | None:
    """Return a number, also one that is written as text: amounts of money are."""
    if isinstance(value, int | float):
        return Decimal(repr(value))
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        try:
            return Decimal(value)
        except InvalidOperation:
            return None
    return None


def _magnitude(number: Decimal) -> str:
    """Return the power of ten that a number stays below, with its sign."""
    if not number:
        return "=0"
    power = max(0, number.copy_abs().adjusted() + 1)
    return f"<10^{power}" if number > 0 else f">-10^{power}"


def _count(number: int) -> str:
    return next((name for most, name in _COUNTS if number <= most), "100+")


def _amounts(facts: RiskFacts) -> list[str]:
    parts = [f"recipients:{_count(facts.recipients)}"] if facts.recipients else []
    if facts.amount:
        parts.append(f"amount{_magnitude(facts.amount.amount)} {facts.amount.currency}")
    return parts


def _domains(reached: Set[str], inside: Set[str]) -> list[str]:
    parts = []
    if reached & inside:
        # With what counts as inside: a domain that is added to it must not slip into what was signed before.
        parts.append(f"inside#{_digest(sorted(inside))}")
    if outside := reached - inside:
        # Exactly these: that one stranger was written to says nothing about another.
        parts.append(f"outside#{_digest(sorted(outside))}")
    return parts


def _digest(value: object) -> str:
    return digest_of(value)[:_DIGITS_OF_DIGEST]
