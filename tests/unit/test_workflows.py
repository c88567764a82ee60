"""Workflows: what a document has to be like, what its inputs and its output have to be like, and its plan."""

import json
from pathlib import Path
from typing import Any

import pytest

from maos.agent_answer import answer_faults, form_of, value_of
from maos.errors import WorkflowRefused
from maos.json_schemas import completed, schema_faults, texts_of, value_faults, with_texts
from maos.rehearsed_json import rehearsed_value
from maos.workflow_form import form_schema, prefilled
from maos.workflow_page import WorkflowPage, page_of
from maos.workflow_plan import empty_plan
from maos.workflow_text import parse_workflow
from maos.workflows import LeftOut, Material, MaterialFile, WorkflowDefinition

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "workflows"
SHIPPED = sorted(EXAMPLES.glob("*.yaml"))
MINIMAL = "name: small\ntitle: Small\ngoal: Do it.\ninputs: {type: object}\noutput: {type: object}\n"
CITED: dict[str, Any] = {
    "type": "object",
    "required": ["items"],
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["document", "quote"],
                "properties": {
                    "document": {"type": "string", "format": "document"},
                    "quote": {"type": "string", "format": "quote"},
                },
            },
        }
    },
}
DOCUMENTS = {"a.md": "The sea\nis blue.", "b.md": "The sea is green."}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _answer(document: str, quote: str) -> str:
    return json.dumps({"items": [{"document": document, "quote": quote}]})


def _faults(text: str) -> str:
    with pytest.raises(WorkflowRefused) as refused:
        parse_workflow(text)
    return "\n".join(refused.value.faults)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_each_shipped_workflow_is_accepted_and_named_after_its_file(file: Path) -> None:
    definition = parse_workflow(file.read_text())

    assert definition.name == file.stem
    assert len(SHIPPED) == 3
    assert [step.id for step in empty_plan(definition).steps][-2:] == ["work", "deliver_output"]


def test_a_document_may_be_json() -> None:
    same = parse_workflow(MINIMAL)

    assert parse_workflow(json.dumps(same.model_dump(mode="json"))) == same


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("extra: 1\n", "extra: this key is not accepted; allowed: name, title"),
        ("tools: [Bad-Name]\n", "tools.1: String should match pattern"),
        ("limits: {turns: 0}\n", "limits.turns: Input should be greater than or equal to 1"),
        ("autonomy: free\n", "autonomy: Input should be 'supervised', 'semi_autonomous' or 'autonomous'"),
        ("prepare: [{action: a}, {action: a}]\n", "prepare: 'a' stands twice"),
        (
            "output: {type: object, properties: {rows: {type: array, items: {type: object, properties: "
            "{n: {type: integer, x-covers: no.number}}}}}}\n",
            "x-covers 'no.number' is of nothing that the agent reads: inputs",
        ),
        ("goal: twice\n", "key 'goal' stands twice"),
    ],
)
def test_what_is_wrong_with_a_document_is_said(changed: str, said: str) -> None:
    kept = [
        line for line in MINIMAL.splitlines(keepends=True) if not changed.startswith("output") or "output" not in line
    ]

    assert said in _faults("".join(kept) + changed)


def test_every_fault_of_a_document_is_named_at_once() -> None:
    said = _faults("name: X\ntitle: ''\ngoal: x\ninputs: {type: array}\noutput: {type: object}\nodd: 1\n")

    assert "name: " in said
    assert "title: " in said
    assert "odd: " in said


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "array", "items": {"type": "string"}}, "it must be 'object' at the top"),
        (_object(a={"$ref": "http://127.0.0.1/x"}), "a: type None is not accepted"),
        (_object(a={"type": "string", "pattern": "(a+)+$"}), "a: 'pattern' is not accepted"),
        (_object(a={"type": "string", "$ref": "#"}), "a: '$ref' is not accepted"),
        (_object(a={"type": ["string", "null"]}), "a: type ['string', 'null'] is not accepted"),
        (_object(a={"type": "string", "format": "uri"}), "a: format 'uri' is not accepted"),
        (_object(a={"type": "string", "minLength": -1}), "minLength"),
        (_object(a={"type": "array"}), "a[]: it must be a mapping"),
        ({"type": "object", "required": ["a"]}, "it requires 'a', which has no schema"),
        ({"type": "object", "additionalProperties": True}, "additionalProperties can only be false"),
    ],
)
def test_a_schema_stays_within_what_makes_a_form_and_always_ends(schema: dict[str, Any], said: str) -> None:
    assert said in "\n".join(schema_faults(schema, formats=frozenset({"file"})))


def test_a_schema_is_not_nested_without_end() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(9):
        schema = _object(a=schema)

    assert "nested deeper than 8 levels" in schema_faults(schema, formats=frozenset())[0]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"n": "x"}, ("n", "x", "of type integer")),
        ({"n": 0}, ("n", "0", "minimum: 1")),
        ({"n": 1, "kind": "z"}, ("kind", "z", "one of a, b")),
        ({"n": 1, "more": 1}, ("", "{'n': 1, 'more': 1}", "its fields: n, kind")),
        ({}, ("", "{}", "'n' is a required property; its fields: n, kind")),
        ({"n": True}, ("n", "True", "of type integer")),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_what_is_allowed(value: object, said: tuple[str, str, str]) -> None:
    schema = {**_object(n={"type": "integer", "minimum": 1}, kind={"type": "string", "enum": ["a", "b"]})}
    ((place, shown, words),) = value_faults({**schema, "required": ["n"]}, value)

    assert (place, shown) == said[:2]
    assert said[2] in words


def test_inputs_left_out_have_their_defaults() -> None:
    schema = _object(a={"type": "integer", "default": 3}, b={"type": "string"})

    assert completed(schema, {"b": "x"}) == {"a": 3, "b": "x"}
    assert completed(schema, {"a": 4}) == {"a": 4}


def test_texts_of_a_format_are_found_and_changed_wherever_they_stand() -> None:
    schema = _object(
        one={"type": "string", "format": "file"}, many={"type": "array", "items": {"type": "string", "format": "file"}}
    )
    value = {"one": "a", "many": ["b", "c"], "odd": 1}

    assert [(place, text) for place, text, _ in texts_of(schema, value, "file")] == [
        ("one", "a"),
        ("many[1]", "b"),
        ("many[2]", "c"),
    ]
    assert with_texts(schema, value, frozenset({"file"}), str.upper) == {"one": "A", "many": ["B", "C"], "odd": 1}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_answer("a.md", "sea is blue"), ""),
        (_answer("a.md", "sea is green"), "items[1].quote: 'sea is green' does not stand in a.md word for word"),
        (_answer("c.md", "sea is blue"), "items[1].document: there is no document 'c.md'; there are: a.md, b.md"),
        (_answer("a.md", " "), "does not stand"),
        ("The sea is blue.", "the answer is no JSON object"),
        ("[1]", "the answer is no JSON object: it is something else"),
        ('{"items": NaN}', "NaN is no number of JSON"),
        ("{}", "the object: 'items' is a required property"),
        ("[" * 100_000, "the answer is no JSON object"),
    ],
)
def test_an_answer_fits_its_schema_and_quotes_what_was_read(answer: str, said: str) -> None:
    faults = "\n".join(answer_faults(CITED, answer, {"documents": DOCUMENTS}))

    assert said in faults
    assert bool(said) is bool(faults)


def test_an_answer_may_stand_in_a_fence() -> None:
    assert value_of('```json\n{"a": 1}\n```') == {"a": 1}


def test_an_agent_is_told_of_the_form_and_of_citing_only_where_it_cites() -> None:
    assert '"additionalProperties": false' in form_of(CITED)
    assert "word for word" in form_of(CITED)
    assert "word for word" not in form_of(_object(a={"type": "string"}))


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_rehearsed_value_fits_the_schema_and_cites_what_is_there(file: Path) -> None:
    schema = parse_workflow(file.read_text()).output
    inputs = {"documents": DOCUMENTS, "compare_ledgers": {"differences": [{"number": 1}, {"number": 2}]}}
    value = rehearsed_value(schema, inputs)

    assert answer_faults(schema, json.dumps(value), inputs) == []
    assert "REHEARSAL" in json.dumps(value)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer", "minimum": 5, "multipleOf": 4}, 8),
        ({"type": "number"}, 0.0),
        ({"type": "boolean"}, False),
        ({"type": "string", "maxLength": 3}, "REH"),
        ({"type": "string", "const": "x"}, "x"),
        ({"type": "array", "items": {"type": "boolean"}, "maxItems": 0}, []),
        ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [False, False]),
    ],
)
def test_a_rehearsed_value_keeps_to_the_limits(part: dict[str, Any], value: object) -> None:
    assert rehearsed_value(_object(a=part), {}) == {"a": value}
    assert value_faults(_object(a=part), {"a": value}) == []


def test_the_page_shows_the_output_by_its_schema_and_nothing_in_it_is_markup() -> None:
    output = {"summary": "<b>Blue</b> | *all*", "rows": [{"n": 1, "yes": True}], "none": []}
    schema = _object(
        summary={"type": "string", "title": "Summary"},
        rows={"type": "array", "items": _object(n={"type": "integer"}, yes={"type": "boolean"})},
        none={"type": "array", "items": {"type": "string"}},
    )
    material = Material(
        inputs={}, documents=DOCUMENTS, tables={}, left_out=(LeftOut(name="x.pdf", reason="it is not UTF-8"),)
    )
    page = WorkflowPage(
        title="T", workflow="w", version=2, rehearsal=True, schema=schema, output=output, material=material
    )
    text = page_of(page)

    assert text.startswith("**REHEARSAL**")
    assert "<b>" not in text
    assert "| 1 | yes |" in text
    assert "left out: x.pdf, because it is not UTF-8" in text.replace("\\", "")
    assert "version 2" in text


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../b", "a//b", "", "."])
def test_material_has_names_that_stay_in_the_folder_of_the_run(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        MaterialFile(source="f", name=name, path="/x", sha256="0" * 64, size=1, told=True)


def test_the_schema_of_documents_is_published_as_json_schema() -> None:
    schema = WorkflowDefinition.model_json_schema()

    assert schema["additionalProperties"] is False
    assert {"name", "title", "goal", "inputs", "output"} == set(schema["required"])


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([2, 1], ""),
        ([1], "rows: it leaves out: 2"),
        ([1, 2, 3], "rows: it has what is not there: 3"),
        ([1, 2, 2], "rows: it has more than once: 2"),
        ([], "rows: it leaves out: 1, 2"),
    ],
)
def test_a_list_that_covers_another_has_each_of_its_numbers_once(numbers: list[int], said: str) -> None:
    row = _object(n={"type": "integer", "x-covers": "found.rows.number"})
    schema = _object(rows={"type": "array", "items": row})
    answer = json.dumps({"rows": [{"n": number} for number in numbers]})

    faults = answer_faults(schema, answer, {"found": {"rows": [{"number": 1}, {"number": 2}]}})

    assert faults == ([said] if said else [])
    assert schema_faults(schema, formats=frozenset()) == []
    assert "x-covers" in form_of(schema)


def test_what_a_list_covers_is_a_place() -> None:
    schema = _object(rows={"type": "array", "items": _object(n={"type": "integer", "x-covers": "a b"})})

    assert "x-covers 'a b' is not accepted" in schema_faults(schema, formats=frozenset())[0]


def test_a_workflow_has_a_form_of_its_own_with_its_inputs_as_fields() -> None:
    definition = parse_workflow((EXAMPLES / "research-documents.yaml").read_text())
    fields = {name: {"type": "string"} for name in ("org", "workflow")} | {"inputs": {"type": "object", "position": 9}}
    general = {"definitions": {"RunWorkflowRequest": {"properties": fields, "required": ["org", "workflow"]}}}

    form = form_schema(general, definition, org="demo")["definitions"]["RunWorkflowRequest"]

    assert form["required"] == ["org", "workflow", "inputs"]
    assert form["properties"]["org"] == {"type": "string", "default": "demo", "enum": ["demo"]}
    assert form["properties"]["workflow"]["enum"] == ["research-documents"]
    assert list(form["properties"]["inputs"]["properties"]) == ["folder", "question", "most_words"]
    assert form["properties"]["inputs"]["required"] == ["folder", "question"]
    assert form["properties"]["inputs"]["position"] == 9
    assert general["definitions"]["RunWorkflowRequest"]["required"] == ["org", "workflow"]
    assert prefilled(definition, org="demo")["request"]["inputs"] == {"most_words": 300}
