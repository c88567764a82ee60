"""The output of a workflow as people read it, in Markdown: by its schema, with what it was made of."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from maos.actions import JsonObject
from maos.labels import heading
from maos.report_markdown import escaped
from maos.workflows import Material

_REHEARSAL = "**REHEARSAL** The output was made by rule from its schema; no agent was asked. Not for decisions."


@dataclass(frozen=True)
class WorkflowPage:
    """What stands on the page of an output."""

    title: str
    workflow: str
    version: int
    rehearsal: bool
    schema: JsonObject
    output: JsonObject
    material: Material


def page_of(page: WorkflowPage) -> str:
    """Return the whole page."""
    return "\n\n".join(_blocks(page)) + "\n"


def _blocks(page: WorkflowPage) -> Iterator[str]:
    if page.rehearsal:
        yield _REHEARSAL
    yield f"# {escaped(page.title)}"
    for name, part in page.schema.get("properties", {}).items():
        if name in page.output:
            yield f"## {escaped(_title(name, part))}"
            yield _shown(part, page.output[name])
    yield "## Material"
    yield _material(page.material)
    yield f"Workflow {escaped(page.workflow)}, version {page.version}."


def _title(name: str, schema: JsonObject) -> str:
    return str(schema.get("title") or heading(name))


# Any: a value of the output, which its schema describes.
def _shown(schema: JsonObject, value: Any) -> str:
    if schema["type"] == "array":
        return _listed(schema["items"], value)
    if schema["type"] == "object":
        parts = schema.get("properties", {})
        lines = [f"- **{escaped(_title(name, parts[name]))}:** {_cell(value[name])}" for name in parts if name in value]
        return "\n".join(lines) or "nothing"
    return escaped(value) if isinstance(value, str) else _cell(value)


def _listed(items: JsonObject, values: list[Any]) -> str:
    if not values:
        return "none"
    if items["type"] != "object":
        return "\n".join(f"- {_cell(value)}" for value in values)
    columns = items.get("properties", {})
    head = [escaped(_title(name, part)) for name, part in columns.items()]
    rows = [[_cell(value.get(name)) for name in columns] for value in values]
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return escaped(" ".join(text.split()))


def _material(material: Material) -> str:
    lines = [f"- {escaped(name)} ({len(text):,} characters)" for name, text in material.documents.items()]
    lines += [f"- {escaped(file.name)} (SHA-256 {file.sha256[:12]}…)" for file in material.tables.values()]
    lines += [f"- left out: {escaped(left.name)}, because {escaped(left.reason)}" for left in material.left_out]
    return "\n".join(lines) or "No files were read."
