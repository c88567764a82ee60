"""Rows as plain JSON, the same before they are written and after they are read."""

from typing import Any

from sqlmodel import SQLModel

from maos.actions import JsonObject
from maos.canonical import digest_of, plain
from maos.engines import EngineType
from sql.approval_tables import AgentPendingAction
from sql.tables import AgentInvocation, OrchestratorRun


def plain_row(row: SQLModel) -> JsonObject:
    """Return every column of a row in plain form, also those that later releases add."""
    return {name: _plain(value) for name, value in row.model_dump().items()}


def run_facts(row: OrchestratorRun) -> JsonObject:
    """Return a run in plain form, without its plan; its request and its result by their digests."""
    digests = {"request_digest": digest_of(row.prompt_inputs), "result_digest": digest_of(row.result)}
    return _without(row, "plan", "prompt_inputs", "result") | digests


def attempt_facts(row: AgentInvocation) -> JsonObject:
    """Return an attempt in plain form: its engine by its label, its output by its digest."""
    digest = digest_of(row.output) if row.output is not None else None
    return _without(row, "output", "engine_type") | {"engine": _label(row.engine_type), "output_digest": digest}


def approval_facts(row: AgentPendingAction) -> JsonObject:
    """Return an approval in plain form: its engine by its label."""
    return _without(row, "engine_type") | {"engine": _label(row.engine_type)}


def _without(row: SQLModel, *names: str) -> JsonObject:
    return {name: value for name, value in plain_row(row).items() if name not in names}


def _label(engine: str) -> str:
    return EngineType(engine).label


# Any: whatever a column holds.
def _plain(value: Any) -> Any:
    return value if isinstance(value, dict | list | float) else plain(value)
