"""Calling each engine once, with the smallest request that shows whether it can be worked with."""

from collections.abc import Callable
from time import monotonic

from blocks.claude import ClaudeEngine
from blocks.gemini_image import GeminiImageEngine
from maos.engine_checks import EngineCheck, EngineState
from maos.engines import EngineType
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.images import is_locked_model
from tasks.catalogue import actions
from tasks.engines import image_engine, workspace_command, writer_engine

# Whoever checks engines waits for it.
_PATIENCE_SECONDS = 15.0


def check_engines() -> list[EngineCheck]:
    """Call every engine that there is; one that has no key is not called."""
    return [check() for check in CHECKS.values()]


def _check_writer() -> EngineCheck:
    engine = writer_engine()
    if not engine.configured:
        return EngineCheck(engine=EngineType.CLAUDE_CLI, state=EngineState.NOT_CONFIGURED)
    return _called(EngineType.CLAUDE_CLI, lambda: _count_tokens(engine.within(_PATIENCE_SECONDS)), note=_note(engine))


def _note(engine: ClaudeEngine) -> str:
    version = workspace_command().version()
    return f"{engine.model}; command {version} for workspaces" if version else engine.model


def _count_tokens(engine: ClaudeEngine) -> float:
    # Free, unlike the shortest answer: what is paid for belongs into a run, with a ceiling and an invocation.
    with engine.connect() as client:
        begun = monotonic()
        counted = client.messages.count_tokens(model=engine.model_id, messages=[{"role": "user", "content": "Hello"}])
        passed = monotonic() - begun
    # The SDK hands on whatever was answered with a 200, be it the page of another server.
    if not isinstance(getattr(counted, "input_tokens", None), int):
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, "the answer holds no count of tokens")
    return passed


def _check_researcher() -> EngineCheck:
    engine = EngineType.DEEP_AGENT
    if not writer_engine().configured:
        return EngineCheck(engine=engine, state=EngineState.NOT_CONFIGURED)
    # One block serves both: calling it twice would say nothing more.
    return EngineCheck(engine=engine, state=EngineState.NOT_CALLED, note="works with the writer's key and model")


def _check_illustrator() -> EngineCheck:
    engine = image_engine()
    if not engine.configured:
        return EngineCheck(engine=EngineType.GEMINI_IMAGE, state=EngineState.NOT_CONFIGURED)
    return _called(EngineType.GEMINI_IMAGE, lambda: _look_up(engine.within(_PATIENCE_SECONDS)))


def _look_up(engine: GeminiImageEngine) -> float:
    # Free as well: an image is paid for.
    with engine.connect() as client:
        begun = monotonic()
        name = client.look_up()
        passed = monotonic() - begun
    if not is_locked_model(name):
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, "the answer names another model, or none")
    return passed


def _called(engine: EngineType, call: Callable[[], float], *, note: str = "") -> EngineCheck:
    """Make a call that returns the seconds it took, without those in which its SDK was loaded."""
    try:
        seconds = call()
    except EngineFailure as failure:
        return EngineCheck(engine=engine, state=EngineState.FAILED, reason=failure.kind)
    return EngineCheck(engine=engine, state=EngineState.OK, latency_ms=round(seconds * 1000), note=note)


def _check_services() -> EngineCheck:
    registered = [spec for spec in actions().values() if spec.engine is EngineType.INTERNAL_SERVICE]
    note = f"{len(registered)} actions"
    return EngineCheck(engine=EngineType.INTERNAL_SERVICE, state=EngineState.OK, note=note)


CHECKS: dict[EngineType, Callable[[], EngineCheck]] = {
    EngineType.CLAUDE_CLI: _check_writer,
    EngineType.DEEP_AGENT: _check_researcher,
    EngineType.GEMINI_IMAGE: _check_illustrator,
    EngineType.INTERNAL_SERVICE: _check_services,
}
