"""Which task carries out the steps of which engine."""

from typing import Any

from prefect import Task

from maos.engines import EngineType
from tasks.claude_cli import run_claude_cli
from tasks.internal_service import run_internal_service
from tasks.steps import StepOrder

ENGINE_TASKS: dict[EngineType, Task[[StepOrder], Any]] = {
    EngineType.CLAUDE_CLI: run_claude_cli,
    EngineType.INTERNAL_SERVICE: run_internal_service,
}
