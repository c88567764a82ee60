"""Lists of an output that have to speak of everything that stands in what was read: each number once, and no other."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from maos.actions import JsonObject
from maos.json_schemas import COVERS

_MOST_NAMED = 20


def coverage_faults(schema: JsonObject, value: Any, inputs: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """Yield which numbers a list leaves out, repeats or invents; the value fits its schema.

    Args:
        inputs: what the step reads, among it the lists whose numbers have to be spoken of.
    """
    if schema["type"] == "array":
        if covering := covering_field(schema):
            given = Counter(item[covering[0]] for item in value if covering[0] in item)
            yield from _faults(place, given, set(numbers_at(inputs, covering[1])))
        for item in value:
            yield from coverage_faults(schema["items"], item, inputs, f"{place}[]")
    if schema["type"] == "object":
        for name, part in schema.get("properties", {}).items():
            if name in value:
                yield from coverage_faults(part, value[name], inputs, f"{place}.{name}".lstrip("."))


def covered_places(schema: JsonObject) -> Iterator[str]:
    """Yield each place that a list of the schema has to cover."""
    if COVERS in schema:
        yield str(schema[COVERS])
    for part in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
        yield from covered_places(part)


def covering_field(schema: JsonObject) -> tuple[str, str] | None:
    """Return which field of a list's items has to cover what, if one has."""
    parts = schema["items"].get("properties", {})
    return next(((name, part[COVERS]) for name, part in parts.items() if COVERS in part), None)


def numbers_at(inputs: Mapping[str, Any], path: str) -> list[int]:
    """Return the numbers that stand at a path; of lists on the way, those of every item."""
    found: list[Any] = [inputs]
    for name in path.split("."):
        inside = [each[name] for each in found if isinstance(each, Mapping) and name in each]
        found = [item for each in inside for item in (each if isinstance(each, list) else [each])]
    return [each for each in found if isinstance(each, int)]


def _faults(place: str, given: Counter[int], wanted: set[int]) -> Iterator[str]:
    wrong = {
        "leaves out": wanted - given.keys(),
        "has what is not there": given.keys() - wanted,
        "has more than once": {number for number, count in given.items() if count > 1},
    }
    for words, numbers in wrong.items():
        if numbers:
            named = ", ".join(map(str, sorted(numbers)[:_MOST_NAMED]))
            yield f"{place}: it {words}: {named}{' and more' if len(numbers) > _MOST_NAMED else ''}"
