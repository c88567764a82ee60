"""Which task carries out the steps of which engine."""

from typing import Any

from prefect import Task

from maos.engines import EngineType
from tasks.claude_cli import run_claude_cli
from tasks.deep_agent import run_deep_agent
from tasks.gemini_image import run_gemini_image
from tasks.internal_service import run_internal_service
from tasks.steps import StepOrder

ENGINE_TASKS: dict[EngineType, Task[[StepOrder], Any]] = {
    EngineType.CLAUDE_CLI: run_claude_cli,
    EngineType.DEEP_AGENT: run_deep_agent,
    EngineType.GEMINI_IMAGE: run_gemini_image,
    EngineType.INTERNAL_SERVICE: run_internal_service,
}
