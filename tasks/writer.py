"""One call of the writer engine: a prompt goes out, a validated answer or a typed failure comes back."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, Field, ValidationError

from blocks.claude import ClaudeEngine
from maos.actions import JsonObject
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.tariffs import Tariff
from maos.usage import Receipt, TokenUsage
from maos.writing import Prompt

if TYPE_CHECKING:
    from blocks.claude import SystemText, WriterEvent

# Thinking is on by default and counts against the output limit; putting given figures into words needs little of it.
_EFFORT: Literal["low"] = "low"
_PROGRESS_EVERY = 1000
_LONGEST_DETAIL = 300
# Where inference may run at the list price.
_ANYWHERE = frozenset({None, "global", "not_available"})
_DELIVERED = frozenset({"end_turn", "stop_sequence"})
FAILED_STOPS: dict[str | None, FailureKind] = {
    "refusal": FailureKind.DECLINED,
    "max_tokens": FailureKind.TRUNCATED,
    "model_context_window_exceeded": FailureKind.TOO_LONG,
}


class WriterReply(Receipt):
    """A validated answer, with what it consumed."""

    answer: JsonObject = Field(description="What the prompt's schema asked for, as plain JSON.")


def call_writer(engine: ClaudeEngine, prompt: Prompt, progress: Callable[[str], None]) -> WriterReply:
    """Ask the writer once; a failure carries a receipt if anything was consumed.

    Args:
        progress: is told in a sentence how far the writer is, never what it writes.

    Raises:
        EngineFailure: when no usable answer came.
    """
    draft = _Draft(model=engine.model_id)
    try:
        _write(engine, prompt, draft, progress)
        receipt = draft.finished()
        answer = _validated(draft.text, prompt.answer)
    except EngineFailure as failure:
        raise EngineFailure(failure.kind, failure.detail, failure.retry_after, draft.receipt()) from None
    progress(f"the writer is done: {receipt.usage.prompt_tokens} tokens in, {receipt.usage.output_tokens} out")
    return WriterReply(answer=answer, **dict(receipt))


def sent_bytes(engine: ClaudeEngine, prompt: Prompt) -> int:
    """Return the UTF-8 bytes of everything that a prompt sends: rules, system, user and schema."""
    sent = (prompt.rules, prompt.system, prompt.user, json.dumps(engine.schema_of(prompt.answer)))
    return sum(len(text.encode()) for text in sent)


def writer_ceiling(
    engine: ClaudeEngine, prompt: Prompt, tariff: Tariff, *, counted_tokens: int | None = None
) -> Decimal:
    """Return the most that asking the writer once can cost."""
    return tariff.ceiling_of(
        sent_bytes=sent_bytes(engine, prompt),
        max_output_tokens=prompt.max_output_tokens,
        model=engine.model_id,
        counted_tokens=counted_tokens,
    )


@dataclass
class _Draft:
    """An answer as its events build it up."""

    model: str
    request_id: str | None = None
    raw_usage: JsonObject | None = None
    text: str = ""
    stop_reason: str | None = None
    refused_for: str | None = None
    ended: bool = False

    def take(self, event: "WriterEvent") -> None:
        """Add one event; thinking, and events that are not known yet, leave the draft as it is."""
        match event.type:
            case "message_start":
                self.model = event.message.model
                self.raw_usage = event.message.usage.to_dict()
            case "content_block_delta":
                if event.delta.type == "text_delta":
                    self.text += event.delta.text
            case "message_delta":
                self.stop_reason = event.delta.stop_reason
                self.refused_for = event.delta.stop_details.category if event.delta.stop_details else None
                # Cumulative counts: they replace those of the start, which stay where the end is silent.
                self.raw_usage = {**(self.raw_usage or {}), **event.usage.to_dict(exclude_none=True)}
            case "message_stop":
                self.ended = True

    def receipt(self) -> Receipt | None:
        """Return what is known to be consumed, if anything is."""
        if self.raw_usage is None:
            return None
        return Receipt(
            model=self.model,
            request_id=self.request_id,
            usage=usage_of(self.raw_usage),
            raw_usage=self.raw_usage,
            final=self.stop_reason is not None,
        )

    def finished(self) -> Receipt:
        """Return the receipt of a whole answer, or say why this is none."""
        receipt = self.receipt()
        if receipt is None or not self.ended or self.stop_reason is None:
            raise EngineFailure(FailureKind.INTERRUPTED, "the stream ended before the answer did")
        if self.stop_reason not in _DELIVERED:
            kind = FAILED_STOPS.get(self.stop_reason, FailureKind.UNUSABLE_OUTPUT)
            category = f" ({self.refused_for})" if self.refused_for else ""
            raise EngineFailure(kind, f"the writer stopped: {self.stop_reason}{category}")
        return receipt


def _write(engine: ClaudeEngine, prompt: Prompt, draft: _Draft, progress: Callable[[str], None]) -> None:
    schema = engine.schema_of(prompt.answer)
    told = 0
    with engine.connect() as client:
        # Not `output_format`: the SDK would validate in mid-stream and lose the usage of a faulty answer.
        stream = client.messages.create(
            model=engine.model_id,
            max_tokens=prompt.max_output_tokens,
            system=system_of(prompt),
            messages=[{"role": "user", "content": prompt.user}],
            output_config={"effort": _EFFORT, "format": {"type": "json_schema", "schema": schema}},
            stream=True,
        )
        with stream:
            draft.request_id = stream.response.headers.get("request-id")
            progress("the writer has begun")
            for event in stream:
                draft.take(event)
                if len(draft.text) - told >= _PROGRESS_EVERY:
                    told = len(draft.text)
                    progress(f"the writer has written {told} characters")


def system_of(prompt: Prompt) -> "list[SystemText]":
    """Return what stays the same from call to call, to be kept by the vendor for a while.

    The rules are a prefix of their own: every agent of an organisation has them, whatever it is asked after them.
    """
    return [
        {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}
        for text in (prompt.rules, prompt.system)
        if text
    ]


def _validated(text: str, answer: type[BaseModel]) -> JsonObject:
    try:
        return answer.model_validate_json(text).model_dump(mode="json")
    except ValidationError as error:
        # Places and reasons only: the input is a payload.
        faults = (f"{'.'.join(map(str, fault['loc'])) or 'answer'}: {fault['msg']}" for fault in error.errors())
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, "; ".join(faults)[:_LONGEST_DETAIL]) from None


def usage_of(raw: JsonObject) -> TokenUsage:
    """Read the vendor's own record of the usage."""
    by_age = raw.get("cache_creation") or {}
    one_hour = by_age.get("ephemeral_1h_input_tokens") or 0
    written = raw.get("cache_creation_input_tokens") or 0
    return TokenUsage(
        input_tokens=raw.get("input_tokens") or 0,
        output_tokens=raw.get("output_tokens") or 0,
        cache_read_tokens=raw.get("cache_read_input_tokens") or 0,
        # The total may be newer than the split by age, which only the start of a stream reports.
        cache_write_5m_tokens=max(written - one_hour, 0),
        cache_write_1h_tokens=one_hour,
        in_region=raw.get("inference_geo") not in _ANYWHERE,
    )
