"""The sandbox that templates are rendered in: a few filters and tests over plain data, within a budget of work.

A template may come from a model that was talked into it. It can call nothing and reach no attribute of an object, and
whatever could make much of little is charged for before it is done.
"""

from collections.abc import Iterator, Sized
from typing import Any

from jinja2 import StrictUndefined, Undefined, pass_context, pass_environment
from jinja2.exceptions import SecurityError
from jinja2.filters import do_sum
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from maos.canonical import canonical_json

# Charged in characters and values; rendering costs well under a second for all of it.
MOST_WORK = 2_000_000

_FILTERS = frozenset(
    [
        "abs",
        "capitalize",
        "default",
        "dictsort",
        "first",
        "float",
        "int",
        "items",
        "join",
        "last",
        "length",
        "lower",
        "map",
        "max",
        "min",
        "reject",
        "rejectattr",
        "select",
        "selectattr",
        "sort",
        "title",
        "trim",
        "truncate",
        "unique",
        "upper",
    ]
)
# Without those that format text in passing: `odd` would do so with any text that has a % in it.
_TESTS = frozenset(
    [
        "boolean",
        "defined",
        "eq",
        "equalto",
        "false",
        "float",
        "ge",
        "gt",
        "in",
        "integer",
        "iterable",
        "le",
        "lower",
        "lt",
        "mapping",
        "ne",
        "none",
        "number",
        "sequence",
        "string",
        "true",
        "undefined",
        "upper",
        "==",
        "!=",
        ">",
        ">=",
        "<",
        "<=",
    ]
)
_LOOP = frozenset(
    ["index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "previtem", "nextitem"]
)
_NUMBERS_ONLY = frozenset({"+", "-", "*", "/", "//", "%"})
_MOST_BITS = 256
# Tuples: this is asked of every value of everything that is weighed.
_LISTS = (list, tuple)
_SCALARS = (int, float, type(None), Undefined)
# No template can say these names, and none is in its way.
BUDGET, CHARGED = " budget", " charged"


class Budget:
    """What is left to one rendering."""

    def __init__(self) -> None:
        self.left = MOST_WORK

    def spend(self, work: int) -> None:
        self.left -= work
        if self.left < 0:
            raise SecurityError("it asks for more work than a template may")


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja over plain data: operators are for numbers, dots and brackets are for what data hold."""

    intercepted_binops = _NUMBERS_ONLY

    def is_safe_callable(self, obj: Any) -> bool:  # noqa: ARG002 - the signature is Jinja's
        return False

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        for value in (left, right):
            # Asked of an undefined name, this says which.
            bool(value)
            if not isinstance(value, int | float):
                raise SecurityError(f"{operator} is for numbers only; ~ joins text")
            if isinstance(value, int) and value.bit_length() > _MOST_BITS:
                raise SecurityError("it reckons with a number of more digits than a template may")
        return super().call_binop(context, operator, left, right)

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, LoopContext):
            return getattr(obj, attribute) if attribute in _LOOP else self.undefined(obj=obj, name=attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Undefined):
            # Says which name is undefined, rather than what it does not have.
            return obj[argument]
        if isinstance(obj, (str, dict, *_LISTS)):
            try:
                return obj[argument]
            except (LookupError, TypeError):
                pass
        return self.undefined(obj=obj, name=argument)


def weight_of(value: Any, *, most: int = MOST_WORK) -> int:
    """Return how large data are when they are written out, however often they share a part.

    Raises:
        SecurityError: when they are larger than most, or no data at all.
    """
    found = 0
    left = [value]
    while left:
        item = left.pop()
        found += 1
        if isinstance(item, str):
            found += len(item)
        elif isinstance(item, _LISTS):
            left += item
        elif isinstance(item, dict):
            left += [*item.keys(), *item.values()]
        elif not isinstance(item, _SCALARS):
            raise SecurityError(f"{type(item).__name__} is no data that a template may use")
        if found > most:
            raise SecurityError("it asks for more work than a template may")
    return found


@pass_context
def _charged(context: Context, value: Any, times: int = 1) -> Any:
    """Charge for data that are about to be used, and for each of them so often as a loop has things to do with it."""
    # By its name in a text, `map` could call this with anything.
    if type(times) is not int or times < 1:
        raise SecurityError("a loop has a body")
    size = len(value) if isinstance(value, Sized) else 1
    context[BUDGET].spend(weight_of(value) + times * size)
    return value


@pass_context
def _printed(context: Context, value: Any) -> Any:
    context[BUDGET].spend(weight_of(value))
    return value


def _metered(name: str, *, is_filter: bool) -> Any:
    """Return a filter or test that is charged for its input, as often as its arguments are large, and its outcome."""
    call = PLAIN.call_filter if is_filter else PLAIN.call_test

    @pass_context
    def metered(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        budget = context[BUDGET]
        budget.spend(weight_of(value) * weight_of((*args, *kwargs.values())))
        outcome = call(name, value, args, kwargs, context=context)
        if isinstance(outcome, Iterator):
            outcome = list(outcome)
        budget.spend(weight_of(outcome))
        return outcome

    return metered


def _round(value: float, precision: int = 0) -> float:
    # Jinja's own reckons ten to the power of the precision, for any.
    if not -20 <= precision <= 20:
        raise SecurityError("numbers are rounded to 20 places at most")
    return round(value, precision)


@pass_environment
def _sum(environment: Sandbox, values: Any, attribute: str | int | None = None) -> Any:
    # Jinja's own also adds up lists, each time with a copy of all before.
    return do_sum(environment, values, attribute)


_OURS = {"round": _round, "sum": _sum, "tojson": canonical_json}


def _sandbox() -> Sandbox:
    sandbox = Sandbox(undefined=StrictUndefined, keep_trailing_newline=True, finalize=_printed, cache_size=0)
    sandbox.globals.clear()
    sandbox.filters = {name: sandbox.filters[name] for name in _FILTERS} | _OURS
    sandbox.tests = {name: sandbox.tests[name] for name in _TESTS}
    return sandbox


PLAIN = _sandbox()
SANDBOX = _sandbox()
SANDBOX.filters = {name: _metered(name, is_filter=True) for name in PLAIN.filters} | {CHARGED: _charged}
SANDBOX.tests = {name: _metered(name, is_filter=False) for name in PLAIN.tests}
