"""Which engines are configured."""

from typing import cast

from blocks.claude import ClaudeEngine


def writer_engine() -> ClaudeEngine:
    """Return the writer engine as the operators configured it in Prefect."""
    # Called from tasks and flows without an event loop, `load` answers at once; its type allows for both.
    return cast(ClaudeEngine, ClaudeEngine.load("default"))


def writer_is_configured() -> bool:
    """Say whether the writer engine has a key; without one, runs are rehearsals."""
    return writer_engine().configured
