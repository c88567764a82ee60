from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from maos.errors import InputMismatch
from maos.references import Reference, missing_member, resolve, source_of

OUTPUTS: dict[str, dict[str, Any] | None] = {
    "count": {"rows": [{"name": "Tea", "0": "zero"}, {"name": None}], "total": 0, "none": None, "10": "ten"},
    "empty": {},
    "failed": None,
}


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("count", OUTPUTS["count"]),
        ("count.total", 0),
        ("count.rows", [{"name": "Tea", "0": "zero"}, {"name": None}]),
        ("count.rows.0", {"name": "Tea", "0": "zero"}),
        ("count.rows.0.name", "Tea"),
        ("count.rows.0.0", "zero"),
        ("count.rows.1.name", None),
        ("count.none", None),
        ("count.10", "ten"),
        ("empty", {}),
    ],
)
def test_a_reference_reads_a_place_in_an_outcome(reference: str, value: object) -> None:
    assert resolve(reference, OUTPUTS) == value


@pytest.mark.parametrize("reference", ["failed", "failed.rows", "failed.rows.0.name"])
def test_a_step_without_an_outcome_reads_as_null(reference: str) -> None:
    assert resolve(reference, OUTPUTS) is None


@pytest.mark.parametrize(
    ("reference", "part"),
    [
        ("count.sum", "sum"),
        ("count.rows.2", "2"),
        ("count.rows.-1", "-1"),
        ("count.rows.name", "name"),
        ("count.total.real", "real"),
        ("count.none.name", "name"),
        ("count.rows.0.name.0", "0"),
        ("count.rows.__class__", "__class__"),
        ("count.keys", "keys"),
        ("empty.0", "0"),
    ],
)
def test_a_place_that_is_not_there_is_named(reference: str, part: str) -> None:
    with pytest.raises(InputMismatch) as mismatch:
        resolve(reference, OUTPUTS)

    assert str(mismatch.value) == f"input {reference!r}: the outcome has no {part!r}"


@pytest.mark.parametrize(("reference", "source"), [("a", "a"), ("a.b", "a"), ("step_1.rows.0.name", "step_1")])
def test_a_reference_begins_with_its_step(reference: str, source: str) -> None:
    assert source_of(reference) == source


@pytest.mark.parametrize("reference", ["a", "a.b", "a.0", "a.b-c.D_e.10", "a._x"])
def test_a_reference_is_a_step_and_a_path(reference: str) -> None:
    assert TypeAdapter(Reference).validate_python(reference) == reference


@pytest.mark.parametrize(
    "reference",
    [
        *("", ".", "a.", ".a", "a..b", "A", "1", "a b", "a.b c", "a[0]", "a.b\n", "a.ä", "a.{{ x }}"),
        "a." + "b" * 101,
        "a" + ".b" * 500,
    ],
)
def test_what_is_no_reference_is_refused(reference: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Reference).validate_python(reference)


class Place(BaseModel):
    city: str


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")

    city: str


class Found(BaseModel):
    place: Place
    loose: Loose
    maybe: Place | None
    places: list[Place]
    by_name: dict[str, Place]


@pytest.mark.parametrize(
    ("reference", "missing"),
    [
        ("a", None),
        ("a.place.city", None),
        ("a.street", "street"),
        ("a.place.street", "street"),
        ("a.place.street.number", "street"),
        ("a.loose.street", None),
        ("a.model_fields", "model_fields"),
        # What stands in lists, mappings and alternatives is known only when it is there.
        ("a.places.7.street", None),
        ("a.by_name.home.street", None),
        ("a.maybe.street", None),
    ],
)
def test_what_the_model_of_an_outcome_does_not_have_is_found_before_the_run(
    reference: str, missing: str | None
) -> None:
    assert missing_member(reference, Found) == missing


def test_nothing_is_known_of_an_outcome_without_a_model() -> None:
    assert missing_member("a.b.c", None) is None
