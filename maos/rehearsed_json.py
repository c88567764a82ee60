"""A value that fits a JSON Schema, made by rule: what a rehearsal hands on in the place of an engine's."""

from collections.abc import Mapping
from typing import Any

from maos.actions import JsonObject
from maos.agent_answer import DOCUMENT, QUOTE, documents_of
from maos.coverage import covering_field, numbers_at

_WORDS = "REHEARSAL: derived by rule, no engine was called."
_BY_FORMAT = {"date": "2026-01-01", "email": "nobody@example.com", "uuid": "00000000-0000-0000-0000-000000000000"}
_LONGEST_QUOTE = 200


def rehearsed_value(schema: JsonObject, inputs: Mapping[str, Any]) -> JsonObject:
    """Return an object that fits the schema: the same for the same inputs, whose documents it cites.

    A schema can ask for what no rule finds, such as texts that are all different; whoever hands the value on checks it.
    """
    value: JsonObject = _object(schema, inputs)
    return value


def _value(schema: JsonObject, inputs: Mapping[str, Any]) -> Any:
    for word in ("const", "default"):
        if word in schema:
            return schema[word]
    if schema.get("enum"):
        return schema["enum"][0]
    match schema["type"]:
        case "object":
            return _object(schema, inputs)
        case "array":
            return _array(schema, inputs)
        case "string":
            return _text(schema, inputs)
        case "boolean":
            return False
        case kind:
            return _number(schema, whole=kind == "integer")


def _object(schema: JsonObject, inputs: Mapping[str, Any]) -> JsonObject:
    return {name: _value(part, inputs) for name, part in schema.get("properties", {}).items()}


def _array(schema: JsonObject, inputs: Mapping[str, Any]) -> list[Any]:
    items = schema["items"]
    if covering := covering_field(schema):
        name, path = covering
        return [_value(items, inputs) | {name: number} for number in numbers_at(inputs, path)]
    if not documents_of(inputs) and _cites(items) and not schema.get("minItems"):
        return []
    # One, so that a reader sees what stands in it, wherever the schema has room.
    count = max(schema.get("minItems", 0), min(1, schema.get("maxItems", 1)))
    return [_value(items, inputs) for _ in range(count)]


def _cites(schema: JsonObject) -> bool:
    parts = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    return schema.get("format") in {DOCUMENT, QUOTE} or any(map(_cites, parts))


def _text(schema: JsonObject, inputs: Mapping[str, Any]) -> str:
    documents = documents_of(inputs)
    first = next(iter(sorted(documents)), "")
    if schema.get("format") == DOCUMENT:
        return first
    if schema.get("format") == QUOTE:
        lines = [line.strip() for line in documents.get(first, "").splitlines()]
        return next((line for line in lines if line), "")[: min(_LONGEST_QUOTE, schema.get("maxLength", 200))]
    text = _BY_FORMAT.get(schema.get("format", ""), _WORDS)
    return text.ljust(schema.get("minLength", 0), ".")[
        : schema.get("maxLength", len(text) + schema.get("minLength", 0))
    ]


def _number(schema: JsonObject, *, whole: bool) -> float:
    step = schema.get("multipleOf", 1)
    least = schema.get("minimum", schema.get("exclusiveMinimum", min(0, schema.get("maximum", 0))))
    found = least if not step else -(-least // step) * step
    if "exclusiveMinimum" in schema and found <= schema["exclusiveMinimum"]:
        found += step
    return int(found) if whole else float(found)
