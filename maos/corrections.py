"""What a past call costs by the prices known now, compared with what was counted for it."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import JsonObject
from maos.engines import EngineType
from maos.errors import UnpricedModel
from maos.failures import FailureKind
from maos.statuses import InvocationStatus
from maos.tariffs import Tariff
from maos.usage import TokenUsage

# The answer came whole: that of a step, or of a turn of one.
_ANSWERED = frozenset({InvocationStatus.COMPLETED, InvocationStatus.PENDING})
# Failures of an answer that had come to its end.
_WHOLE_ANSWERS = frozenset({FailureKind.DECLINED, FailureKind.TRUNCATED, FailureKind.UNUSABLE_OUTPUT})


class Finding(StrEnum):
    """How a recomputed cost compares with the counted one."""

    SAME = "same"
    DIFFERS = "differs"
    UNPRICED = "unpriced"
    NO_USAGE = "no_usage"
    # The counts are those of a beginning; the call may have cost its ceiling.
    CUT_SHORT = "cut_short"


class PastCall(BaseModel):
    """A call of an engine that was paid for, as the ledger keeps it."""

    model_config = ConfigDict(frozen=True)

    invocation_id: UUID
    org_id: UUID
    org: str
    run_id: UUID
    step_id: str
    attempt: int
    engine: EngineType
    started_at: datetime
    status: InvocationStatus
    error_kind: FailureKind | None
    model: str | None
    raw_usage: JsonObject | None
    price_snapshot: str | None = Field(description="The price list that its cost was taken from; None: its ceiling.")
    settled_usd: Decimal
    corrected_usd: Decimal = Field(description="The sum of its corrections so far.")

    @property
    def counted_usd(self) -> Decimal:
        """What is counted for it now."""
        return self.settled_usd + self.corrected_usd

    @property
    def usage_is_final(self) -> bool:
        """Whether its raw usage is the last word; the ledger priced it by that, or the answer is known to be whole."""
        if self.price_snapshot or self.status in _ANSWERED:
            return True
        return self.error_kind in _WHOLE_ANSWERS


class Recosted(BaseModel):
    """A past call with what it costs by the prices known now."""

    model_config = ConfigDict(frozen=True)

    call: PastCall
    finding: Finding
    now_usd: Decimal | None = None
    price_list: str | None = None

    @property
    def difference_usd(self) -> Decimal:
        """What a correction has to add; nothing where the cost is not known better."""
        return Decimal(0) if self.now_usd is None else self.now_usd - self.call.counted_usd


def recosted(call: PastCall, usage: TokenUsage | None, tariff: Tariff) -> Recosted:
    """Price a past call anew, by the prices in force when it was made.

    Args:
        usage: its raw usage as it is priced, where there is one that can be read.
        tariff: what its organisation was charged at that time.
    """
    if usage is None or not usage.prompt_tokens + usage.all_output_tokens:
        return Recosted(call=call, finding=Finding.NO_USAGE)
    if not call.usage_is_final:
        return Recosted(call=call, finding=Finding.CUT_SHORT)
    try:
        cost = tariff.cost_of(usage, call.model or "")
    except UnpricedModel:
        return Recosted(call=call, finding=Finding.UNPRICED)
    finding = Finding.SAME if cost.usd == call.counted_usd else Finding.DIFFERS
    return Recosted(call=call, finding=finding, now_usd=cost.usd, price_list=cost.price_list)
