"""Which engines are configured."""

from collections.abc import Callable, Set
from typing import cast

from blocks.claude import ClaudeEngine
from blocks.claude_command import ClaudeCommand
from blocks.gemini_image import GeminiImageEngine
from maos.engines import EngineType
from maos.plans import Plan
from tasks.secrecy import kept


def writer_engine() -> ClaudeEngine:
    """Return the writer engine as the operators configured it in Prefect."""
    # Called from tasks and flows without an event loop, `load` answers at once; its type allows for both.
    return kept(cast(ClaudeEngine, ClaudeEngine.load("default")))


def workspace_command() -> ClaudeCommand:
    """Return the writer's command line as the operators configured it in Prefect."""
    return cast(ClaudeCommand, ClaudeCommand.load("default"))


def image_engine() -> GeminiImageEngine:
    """Return the image engine as the operators configured it in Prefect."""
    return kept(cast(GeminiImageEngine, GeminiImageEngine.load("default")))


def engines_without_key(plan: Plan, added: Set[EngineType] = frozenset()) -> tuple[EngineType, ...]:
    """Return the engines that a plan uses and that have no key; if there are any, its run is a rehearsal.

    Args:
        added: engines of steps that its outcomes may add.
    """
    used = {step.engine for step in plan.steps} | added
    return tuple(engine for engine, has_key in _HAS_KEY.items() if engine in used and not has_key())


# Engines that are not in here need no key.
_HAS_KEY: dict[EngineType, Callable[[], bool]] = {
    EngineType.CLAUDE_CLI: lambda: writer_engine().configured,
    # The researcher works with the writer's key.
    EngineType.DEEP_AGENT: lambda: writer_engine().configured,
    EngineType.GEMINI_IMAGE: lambda: image_engine().configured,
}
