"""How an attempt ends, and what it costs: by its engine's receipt, or its ceiling where nobody knows."""

from collections.abc import Sequence
from decimal import Decimal

from sqlmodel import Session

from maos.budgets import Hold
from maos.errors import UnpricedModel
from maos.failures import FailureKind
from maos.tariffs import Tariff
from maos.usage import Receipt
from sql import attempts, budgets, invocations, price_overrides
from sql.attempts import End
from sql.pipelines import Order, Rows
from sql.session import org_session
from sql.tables import AgentInvocation, InvocationVendorDetail
from tasks.failures import kind_of
from tasks.secrecy import safe_receipt, without_secrets

# The call was sent and no answer came: it may have been carried out, and is owed.
_FATE_UNKNOWN = frozenset({FailureKind.TIMED_OUT, FailureKind.INTERRUPTED})


class EndedBefore(Exception):
    """An attempt is not running any more: an earlier try at its end, whose answer was lost, has happened."""


class Ending:
    """The end of an attempt: `orders` go on one trip, and their answers are concluded.

    Args:
        begun: the attempt as it began.
        end: how it ends; what it costs is noted in it.
        holds: what it has set aside.
        tariff: the prices that its ceiling is from; empty: those of the organisation when it began.
    """

    def __init__(
        self,
        begun: AgentInvocation,
        end: End,
        holds: Sequence[Hold],
        *,
        receipt: Receipt | None,
        error: BaseException | None = None,
        tariff: Tariff | None,
    ) -> None:
        self._end = end
        self._detail = _note_cost(end, begun, receipt, error, tariff=tariff)
        self._order = attempts.ending(begun.id, end)
        known = receipt is not None and receipt.final
        self._settlement = budgets.Settlement(
            begun, budgets.used_of(end.cost_usd, end.tokens), holds, at_ceiling=bool(end.cost_usd) and not known
        )

    @property
    def orders(self) -> tuple[Order, ...]:
        """What ends the attempt and gives back what it did not use."""
        return self._order, *self._settlement.orders

    def conclude(self, answers: Sequence[Rows], *, session: Session) -> AgentInvocation:
        """Write what remains, and return the attempt as it is from here on.

        Raises:
            EndedBefore: and nothing of this transaction may be committed.
        """
        ended, *settled = answers
        row = attempts.ended(ended, self._end)
        if row is None:
            raise EndedBefore
        # Before anything is audited: whoever locks both must do so in one order.
        self._settlement.conclude(settled, session=session)
        if self._detail:
            invocations.add_vendor_detail(self._detail, session=session)
        return row


def _note_cost(
    end: End,
    begun: AgentInvocation,
    receipt: Receipt | None,
    error: BaseException | None,
    *,
    tariff: Tariff | None,
) -> InvocationVendorDetail | None:
    """Note in the end of an attempt what it has consumed; return what only operators may know of it."""
    if receipt is None and error is None:
        return None
    detail = InvocationVendorDetail(
        invocation_id=begun.id,
        org_id=begun.org_id,
        error_detail=without_secrets(str(error)) if error else None,
    )
    if receipt:
        _note_receipt(safe_receipt(receipt), end, detail)
        # Cut short, a call may have cost its ceiling; a limit must hold against that.
        end.cost_usd = begun.token_cost_estimate
        if receipt.final:
            _price(receipt, tariff or _tariff_of(begun), end, detail)
    elif kind_of(error) in _FATE_UNKNOWN:
        end.cost_usd = begun.token_cost_estimate
    return detail


def _tariff_of(begun: AgentInvocation) -> Tariff:
    with org_session(begun.org_id) as session:
        overrides = price_overrides.overrides_of(begun.org_id, session=session)
    return Tariff(at=begun.started_at, overrides=overrides)


def _note_receipt(receipt: Receipt, end: End, detail: InvocationVendorDetail) -> None:
    used = receipt.total
    end.input_tokens = used.input_tokens
    end.output_tokens = used.all_output_tokens
    end.cache_read_tokens = used.cache_read_tokens
    end.cache_write_tokens = used.cache_write_tokens
    detail.model = receipt.model
    detail.request_id = receipt.request_id
    detail.raw_usage = receipt.raw_usage


def _price(receipt: Receipt, tariff: Tariff, end: End, detail: InvocationVendorDetail) -> None:
    try:
        charges = [tariff.cost_of(usage, model) for model, usage in receipt.by_model()]
    except UnpricedModel:
        # A model that names itself anew is never free: the ceiling stands until its price is known.
        return
    end.cost_usd = sum((charge.usd for charge in charges), start=Decimal(0))
    detail.list_cost_usd = sum((charge.list_usd for charge in charges), start=Decimal(0))
    detail.price_snapshot = charges[0].price_list
