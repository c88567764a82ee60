"""What the command says while it works, and what it has used so far by our own count.

It prints an object of JSON a line. Its own estimate of the cost goes to the operators and is never counted with: it is
made from a price list of its own. Of the two usages in its result only that by model is whole.
"""

import json
from dataclasses import dataclass, field
from decimal import Decimal

from pydantic import BaseModel, NonNegativeInt, TypeAdapter, ValidationError

from maos.actions import JsonObject
from maos.errors import EngineFailure, UnpricedModel
from maos.failures import FailureKind
from maos.tariffs import Tariff
from maos.usage import Receipt, TokenUsage
from maos.workspace_writing import OUTPUT_TOKENS
from tasks.command_results import failure_of
from tasks.writer import usage_of

_FATE_UNKNOWN = frozenset({FailureKind.TIMED_OUT, FailureKind.INTERRUPTED})
_KEPT_OF_RESULT = ("subtype", "is_error", "num_turns", "usage", "modelUsage", "total_cost_usd")


class _ModelUsage(BaseModel):
    """What a result says that a model has used."""

    inputTokens: NonNegativeInt = 0  # noqa: N815 - the command's words
    outputTokens: NonNegativeInt = 0  # noqa: N815
    cacheReadInputTokens: NonNegativeInt = 0  # noqa: N815
    cacheCreationInputTokens: NonNegativeInt = 0  # noqa: N815


_MODELS_USAGE = TypeAdapter(dict[str, _ModelUsage])


@dataclass
class CommandStream:
    """Reads the command's lines; the same object says afterwards what came of it.

    Args:
        model: the model that was asked for.
        most_usd: what the calls may cost; once they have, the command is to be ended.
        tariff: the prices under which it was begun.
    """

    model: str
    most_usd: Decimal
    tariff: Tariff
    result: JsonObject | None = None
    silent: bool = True
    # Calls that have ended, by model; and the one under way, as far as it is known.
    _seen: dict[str, TokenUsage] = field(default_factory=dict)
    _under_way: tuple[str, JsonObject] | None = None
    # What the result says of each model.
    _told: dict[str, _ModelUsage] = field(default_factory=dict)
    _session: str | None = None
    _strange_lines: int = 0
    _fault: EngineFailure | None = None

    def take(self, line: bytes) -> bool:
        """Read a line; say whether the command is to be ended now."""
        self.silent = False
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            self._strange_lines += bool(line.strip())
            return False
        try:
            self._read(said)
        except (ValidationError, AttributeError, TypeError):
            self._fault = EngineFailure(FailureKind.UNUSABLE_OUTPUT, "what it says has not the promised form")
        except UnpricedModel as unpriced:
            self._fault = EngineFailure(FailureKind.UNUSABLE_OUTPUT, str(unpriced))
        return self.result is not None or self._fault is not None

    def note_end(self, how: str, *, timed_out: bool) -> None:
        """Hear that the command ended without a result."""
        kind = FailureKind.UNUSABLE_OUTPUT if self._strange_lines else FailureKind.INTERRUPTED
        self._fault = EngineFailure(FailureKind.TIMED_OUT if timed_out else kind, how)

    @property
    def failure(self) -> EngineFailure | None:
        """Why the command has not delivered, with what it used; None when it has."""
        fault = self._fault or (failure_of(self.result) if self.result else None)
        return EngineFailure(fault.kind, fault.detail, None, self._receipt_after(fault)) if fault else None

    def receipt(self, *, final: bool = True) -> Receipt:
        """Return what is known to be used; it is the last word only where the result says it."""
        usage, final = self._usage_by_model(), final and bool(self._told)
        main = self.model if self.model in usage else next(iter(usage), self.model)
        known = {name: self.result.get(name) for name in _KEPT_OF_RESULT} if self.result else {}
        counts = _as_recorded(usage[main]) if final and len(usage) == 1 else {}
        return Receipt(
            model=main,
            request_id=self._session,
            usage=usage.get(main, TokenUsage()),
            others={name: used for name, used in usage.items() if name != main},
            raw_usage={**counts, "command": known},
            final=final,
        )

    def _receipt_after(self, fault: EngineFailure) -> Receipt | None:
        # The fate of the last call is open, unless the result came after its end.
        final = self.result is not None and self._under_way is None and fault.kind not in _FATE_UNKNOWN
        return None if final and not self._usage_by_model() else self.receipt(final=final)

    def _read(self, said: JsonObject) -> None:
        if isinstance(session := said.get("session_id"), str):
            self._session = session
        if said.get("type") == "result":
            self._told = _MODELS_USAGE.validate_python(said.get("modelUsage") or {})
            self.result = said
        elif said.get("type") == "stream_event" and self._has_ended_call(said.get("event")):
            self._check_cost()

    def _has_ended_call(self, event: object) -> bool:
        """Count what a call says of itself; say whether one has ended with that."""
        match event:
            case {"type": "message_start", "message": {"model": str(model), "usage": dict(usage)}}:
                broken = self._end_call()
                # Until its end is known, it counts with all that it may write.
                self._under_way = model, {**usage, "output_tokens": OUTPUT_TOKENS}
                return broken
            case {"type": "message_delta", "usage": dict(usage)} if self._under_way:
                model, begun = self._under_way
                self._under_way = model, begun | {name: count for name, count in usage.items() if count is not None}
                return self._end_call()
        return False

    def _end_call(self) -> bool:
        if self._under_way is None:
            return False
        model, raw = self._under_way
        self._seen[model] = self._seen.get(model, TokenUsage()) + usage_of(raw)
        self._under_way = None
        return True

    def _check_cost(self) -> None:
        spent = sum((self.tariff.cost_of(usage, model).usd for model, usage in self._seen.items()), start=Decimal(0))
        if spent >= self.most_usd:
            self._fault = EngineFailure(FailureKind.TRUNCATED, f"the limit of {self.most_usd:f} USD is used up")

    def _usage_by_model(self) -> dict[str, TokenUsage]:
        """Return what was used: as it was seen call by call, where the result counts the same tokens."""
        if not self._told:
            return self._seen
        return {model: self._agreed(model, told) for model, told in self._told.items()}

    def _agreed(self, model: str, told: _ModelUsage) -> TokenUsage:
        seen = self._seen.get(model, TokenUsage())
        # The result does not say for how long the cache was written, nor in which region: the dearer is taken.
        counted = TokenUsage(
            input_tokens=told.inputTokens,
            output_tokens=told.outputTokens,
            cache_read_tokens=told.cacheReadInputTokens,
            cache_write_1h_tokens=told.cacheCreationInputTokens,
            in_region=any(usage.in_region for usage in self._seen.values()),
        )
        return seen if _counts(seen) == _counts(counted) else counted


def _counts(usage: TokenUsage) -> tuple[int, ...]:
    return usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens


def _as_recorded(usage: TokenUsage) -> JsonObject:
    """Return the usage in the words in which the API records that of a call, so that it can be priced anew."""
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cache_read_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_creation": {"ephemeral_1h_input_tokens": usage.cache_write_1h_tokens},
        "inference_geo": "bound" if usage.in_region else None,
    }
