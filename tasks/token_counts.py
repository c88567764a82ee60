"""Asking the writer's own counter how many tokens a prompt has, so that no more is reserved than it can cost."""

from blocks.claude import ClaudeEngine
from maos.errors import EngineFailure
from maos.writing import Prompt
from tasks.writer import sent_bytes, system_of

# Below this, what the bytes allow costs a few cents at most: that is not worth a request.
WORTH_COUNTING_BYTES = 8_000
# Whoever does not count at once is not waited for: the bytes are a bound too.
_PATIENCE_SECONDS = 5.0


def counted_tokens(engine: ClaudeEngine, prompt: Prompt) -> int | None:
    """Return how many tokens the engine counts in a prompt, or nothing where it does not say.

    Asked once, for free; whatever goes wrong with it, the step does without.
    """
    try:
        with engine.within(_PATIENCE_SECONDS).connect() as client:
            counted = client.messages.count_tokens(
                model=engine.model_id,
                system=system_of(prompt),
                messages=[{"role": "user", "content": prompt.user}],
                output_config={"format": {"type": "json_schema", "schema": engine.schema_of(prompt.answer)}},
            )
    except EngineFailure:
        return None
    # The SDK hands on whatever was answered with a 200, be it the page of another server.
    tokens = getattr(counted, "input_tokens", None)
    return tokens if type(tokens) is int else None


def tokens_if_worthwhile(engine: ClaudeEngine, prompt: Prompt) -> int | None:
    """Return how many tokens the engine counts in a long prompt; a short one is not counted."""
    return counted_tokens(engine, prompt) if sent_bytes(engine, prompt) >= WORTH_COUNTING_BYTES else None
