"""JSON Schema as workflows use it: a part of the standard that makes a form, refers to nothing and always ends."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError

from maos.actions import JsonObject

# What is not here refers to places elsewhere ($ref), can take for ever (pattern), or makes no form (anyOf).
_WORDS = frozenset({"type", "title", "description", "default", "examples", "enum", "const", "format"})
# Ours: a list has each number exactly once that stands at this place of what was read.
COVERS = "x-covers"
_PATH = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_BY_TYPE: Mapping[str, frozenset[str]] = {
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "array": frozenset({"items", "minItems", "maxItems", "uniqueItems"}),
    "string": frozenset({"minLength", "maxLength"}),
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
    "integer": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", COVERS}),
    "boolean": frozenset(),
}
_DEEPEST = 8
_LONGEST_SHOWN = 100
_MOST_FAULTS = 20
_FORMATS = FormatChecker(formats=("date", "email", "uuid"))
STANDARD_FORMATS = frozenset(_FORMATS.checkers)


def schema_faults(schema: JsonObject, *, formats: frozenset[str]) -> list[str]:
    """Return what is wrong with the schema of an object.

    Args:
        formats: further formats of texts that it may name.
    """
    if schema.get("type") != "object":
        return ["type: it must be 'object' at the top"]
    if faults := list(_faults_within(schema, "", STANDARD_FORMATS | formats, 1)):
        return faults
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return [f"{_place(error)}: {error.message[:300]}"]
    return []


def _faults_within(schema: object, place: str, formats: frozenset[str], depth: int) -> Iterator[str]:
    at = place or "the schema"
    if not isinstance(schema, dict):
        yield f"{at}: it must be a mapping"
        return
    kind = schema.get("type")
    if not isinstance(kind, str) or kind not in _BY_TYPE:
        yield f"{at}: type {kind!r} is not accepted; allowed: {', '.join(_BY_TYPE)}"
        return
    if depth > _DEEPEST:
        yield f"{at}: nested deeper than {_DEEPEST} levels"
        return
    allowed = _WORDS | _BY_TYPE[kind]
    for word in sorted(map(str, schema.keys() - allowed)):
        yield f"{at}: {word!r} is not accepted; allowed: {', '.join(sorted(allowed))}"
    if "format" in schema and (kind != "string" or schema["format"] not in formats):
        yield f"{at}: format {schema['format']!r} is not accepted; allowed, for texts: {', '.join(sorted(formats))}"
    if COVERS in schema and not _PATH.fullmatch(str(schema[COVERS])):
        yield f"{at}: {COVERS} {schema[COVERS]!r} is not accepted; allowed: a place, such as compare.differences.number"
    yield from _faults_of_parts(schema, place, formats, depth)


def _faults_of_parts(schema: JsonObject, place: str, formats: frozenset[str], depth: int) -> Iterator[str]:
    at = place or "the schema"
    if schema["type"] == "array":
        yield from _faults_within(schema.get("items"), f"{place}[]", formats, depth + 1)
    if schema["type"] != "object":
        return
    if schema.get("additionalProperties", False) is not False:
        yield f"{at}: additionalProperties can only be false: what has no name here is not accepted"
    properties = schema.get("properties", {})
    if not isinstance(properties, dict):
        yield f"{at}: properties must be a mapping"
        return
    for name, part in properties.items():
        yield from _faults_within(part, f"{place}.{name}".lstrip("."), formats, depth + 1)
    required = schema.get("required", [])
    for name in required if isinstance(required, list) else []:
        if name not in properties:
            yield f"{at}: it requires {name!r}, which has no schema"


# object: any JSON value may come in, which is what is being found out.
def value_faults(schema: JsonObject, value: object) -> list[tuple[str, str, str]]:
    """Return each place at which a value does not fit, what stands there, and what is wrong, at most twenty."""
    errors = Draft202012Validator(closed(schema), format_checker=_FORMATS).iter_errors(value)
    found = sorted(errors, key=lambda error: _place(error))[:_MOST_FAULTS]
    return [(_place(error), _shown(error.instance), _words(error)) for error in found]


def closed(schema: JsonObject) -> JsonObject:
    """Return a schema whose objects take nothing but what they name, as forms and vendors want it said."""
    found = dict(schema)
    if schema["type"] == "array":
        found["items"] = closed(schema["items"])
    if schema["type"] == "object":
        found["additionalProperties"] = False
        found["properties"] = {name: closed(part) for name, part in schema.get("properties", {}).items()}
    return found


def completed(schema: JsonObject, value: JsonObject) -> JsonObject:
    """Return an object with the defaults of what it leaves out at the top."""
    defaults = {name: part["default"] for name, part in schema.get("properties", {}).items() if "default" in part}
    return defaults | value


def texts_of(schema: JsonObject, value: Any, format_: str, place: str = "") -> Iterator[tuple[str, str, JsonObject]]:
    """Yield every text of a format in a value that fits its schema: its place, the text, the object it stands in."""
    if schema["type"] == "array" and isinstance(value, list):
        for number, item in enumerate(value, start=1):
            yield from texts_of(schema["items"], item, format_, f"{place}[{number}]")
    if schema["type"] != "object" or not isinstance(value, dict):
        return
    for name, part in schema.get("properties", {}).items():
        here = f"{place}.{name}".lstrip(".")
        if name in value and part["type"] == "string" and part.get("format") == format_:
            yield here, str(value[name]), value
        elif name in value:
            yield from _texts_within(part, value[name], format_, here, value)


def _texts_within(
    part: JsonObject, value: Any, format_: str, here: str, around: JsonObject
) -> Iterator[tuple[str, str, JsonObject]]:
    """Yield the texts of a list of texts with the object around the list; of anything else, those inside it."""
    listed = part["type"] == "array" and part["items"]["type"] == "string" and part["items"].get("format") == format_
    if listed and isinstance(value, list):
        yield from ((f"{here}[{number}]", str(text), around) for number, text in enumerate(value, start=1))
    else:
        yield from texts_of(part, value, format_, here)


def with_texts(schema: JsonObject, value: Any, formats: frozenset[str], change: Callable[[str], str]) -> Any:
    """Return a value with every text of these formats changed; what does not fit the schema stays as it is."""
    if schema["type"] == "string" and isinstance(value, str):
        return change(value) if schema.get("format") in formats else value
    if schema["type"] == "array" and isinstance(value, list):
        return [with_texts(schema["items"], item, formats, change) for item in value]
    if schema["type"] == "object" and isinstance(value, dict):
        parts = schema.get("properties", {})
        return {
            name: with_texts(parts[name], item, formats, change) if name in parts else item
            for name, item in value.items()
        }
    return value


def _place(error: ValidationError | SchemaError) -> str:
    parts = [f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path]
    return "".join(parts).lstrip(".")


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _words(error: ValidationError) -> str:
    # Any: what stands beside the word of the schema, whatever that takes.
    expected: Any = error.validator_value
    match error.validator:
        case "required" | "additionalProperties":
            names = ", ".join(error.schema.get("properties", {})) if isinstance(error.schema, dict) else ""
            return f"{error.message[:300]}; its fields: {names or 'none'}"
        case "enum":
            return f"one of {', '.join(map(str, expected))}"
        case "type":
            return f"of type {expected}"
        case _:
            return f"{error.validator}: {expected}"
