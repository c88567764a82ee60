"""Calling each engine once, with the smallest request that shows whether it can be worked with."""

from collections.abc import Callable
from time import monotonic

from blocks.claude import ClaudeEngine
from maos.engine_checks import EngineCheck, EngineState
from maos.engines import EngineType
from maos.errors import EngineFailure, FailureKind
from tasks.catalogue import actions
from tasks.engines import image_engine, writer_engine

# Whoever checks engines waits for it.
_PATIENCE_SECONDS = 15.0


def check_engines() -> list[EngineCheck]:
    """Call every engine that there is; one that has no key, or no request that is free, is not called."""
    return [check() for check in CHECKS.values()]


def _check_writer() -> EngineCheck:
    engine = writer_engine()
    if not engine.configured:
        return EngineCheck(engine=EngineType.CLAUDE_CLI, state=EngineState.NOT_CONFIGURED)
    begun = monotonic()
    try:
        _count_tokens(engine.within(_PATIENCE_SECONDS))
    except EngineFailure as failure:
        return EngineCheck(engine=EngineType.CLAUDE_CLI, state=EngineState.FAILED, reason=failure.kind)
    passed = round((monotonic() - begun) * 1000)
    return EngineCheck(engine=EngineType.CLAUDE_CLI, state=EngineState.OK, latency_ms=passed, note=engine.model)


def _count_tokens(engine: ClaudeEngine) -> None:
    # Free, unlike the shortest answer: what is paid for belongs into a run, with a ceiling and an invocation.
    with engine.connect() as client:
        counted = client.messages.count_tokens(model=engine.model_id, messages=[{"role": "user", "content": "Hello"}])
    # The SDK hands on whatever was answered with a 200, be it the page of another server.
    if not isinstance(getattr(counted, "input_tokens", None), int):
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, "the answer holds no count of tokens")


def _check_researcher() -> EngineCheck:
    engine = EngineType.DEEP_AGENT
    if not writer_engine().configured:
        return EngineCheck(engine=engine, state=EngineState.NOT_CONFIGURED)
    # One block serves both: calling it twice would say nothing more.
    return EngineCheck(engine=engine, state=EngineState.NOT_CALLED, note="works with the writer's key and model")


def _check_illustrator() -> EngineCheck:
    engine = EngineType.GEMINI_IMAGE
    if not image_engine().configured:
        return EngineCheck(engine=engine, state=EngineState.NOT_CONFIGURED)
    # The only request that its block hands out makes an image, which is paid for.
    return EngineCheck(engine=engine, state=EngineState.NOT_CALLED, note="each of its requests costs money")


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
