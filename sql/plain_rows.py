"""Rows as plain JSON, the same before they are written and after they are read."""

from typing import Any

from sqlmodel import SQLModel

from maos.actions import JsonObject
from maos.canonical import digest_of, plain
from maos.engines import EngineType
from sql.tables import AgentInvocation


def plain_row(row: SQLModel) -> JsonObject:
    """Return every column of a row in plain form, also those that later releases add."""
    return {name: _plain(value) for name, value in row.model_dump().items()}


def attempt_facts(row: AgentInvocation) -> JsonObject:
    """Return an attempt in plain form: its engine by its label, its output by its digest."""
    output = digest_of(row.output) if row.output is not None else None
    facts = {name: value for name, value in plain_row(row).items() if name not in {"output", "engine_type"}}
    return facts | {"engine": EngineType(row.engine_type).label, "output_digest": output}


# Any: whatever a column holds.
def _plain(value: Any) -> Any:
    return value if isinstance(value, dict | list | float) else plain(value)
