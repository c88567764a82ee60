"""Text with places for outcomes: Jinja in a sandbox that can loop and choose, but call nothing and reach nothing.

A parameter that is declared as `TemplateText` is rendered with the step's inputs before anybody approves or runs it.
"""

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Annotated, get_args

from jinja2 import TemplateError, TemplateSyntaxError
from jinja2.exceptions import SecurityError
from pydantic import BaseModel

from maos.actions import JsonObject
from maos.errors import InputMismatch
from maos.template_trees import forbidden_in, names_in, parsed, parts_of

MOST_CHARACTERS = 200_000
_OPENING = re.compile(r"\{[{%#]")
# What Jinja's filters and tests raise of values that they are not for.
_MISFITS = (ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@dataclass(frozen=True)
class _Rendered:
    """Marks a parameter whose text is a template."""


TemplateText = Annotated[str, _Rendered()]


def render(template: str, values: Mapping[str, object], *, place: str = "template") -> str:
    """Return the text with its places filled in.

    Raises:
        InputMismatch: naming the place, when a name is undefined or the template asks for more than the sandbox gives.
    """
    try:
        return "".join(_limited(parts_of(parsed(template), values)))
    except (TemplateError, *_MISFITS) as error:
        raise InputMismatch(place, str(error) or type(error).__name__) from None


def _limited(parts: Iterable[str]) -> Iterable[str]:
    written = 0
    for part in parts:
        written += len(part)
        if written > MOST_CHARACTERS:
            raise SecurityError(f"it renders to more than {MOST_CHARACTERS:,} characters")
        yield part


def literal(text: str) -> str:
    """Return the template that renders to a text by the letter; ends of lines become those of Unix."""
    return text.replace("{", "{{ '{' }}") if _OPENING.search(text) else text


def template_fields(parameters: type[BaseModel]) -> frozenset[str]:
    """Return the names of the parameters whose text is a template."""
    return frozenset(
        name
        for name, field in parameters.model_fields.items()
        if any(isinstance(mark, _Rendered) for mark in (*field.metadata, *_marks_within(field.annotation)))
    )


def _marks_within(annotation: object) -> list[object]:
    """Return the marks of the parts of a union, such as of a template that may be missing."""
    return [mark for part in get_args(annotation) for mark in getattr(part, "__metadata__", ())]


def rendered(parameters: JsonObject, model: type[BaseModel], values: Mapping[str, object]) -> JsonObject:
    """Return the parameters with every template among them rendered.

    Raises:
        InputMismatch: naming the parameter.
    """
    return parameters | {
        name: render(parameters[name], values, place=name)
        for name in template_fields(model)
        if isinstance(parameters.get(name), str)
    }


def template_faults(template: str, names: Set[str]) -> list[str]:
    """Return what is wrong with a template, given the names it may use."""
    try:
        tree = parsed(template)
        faults = forbidden_in(tree)
        unknown = names_in(tree) - names
        if not faults:
            # What is nested too deep for Python says so now.
            parts_of(tree, {})
    except TemplateSyntaxError as error:
        return [f"line {error.lineno}: {error.message}"]
    except RecursionError:
        return ["line 1: nested too deep"]
    known = ", ".join(sorted(names)) or "none"
    return faults + [f"the name {name!r} is not an input; inputs: {known}" for name in sorted(unknown)]
