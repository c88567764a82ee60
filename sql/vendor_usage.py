"""What our calls used, by day and model, as it is compared with a vendor's own count."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from sqlalchemy import Date, cast, func, select
from sqlmodel import Session, col

from maos.billing_months import BillingMonth
from maos.vendor_usage import Measure
from sql.tables import AgentInvocation, InvocationVendorDetail


def used_by_day(
    month: BillingMonth, timezone: str, *, session: Session
) -> Mapping[tuple[date, str], Mapping[Measure, Decimal]]:
    """Return what the calls begun in a month used and cost by the list, over all organisations.

    Args:
        timezone: whose days and months are meant.
    """
    call, detail = AgentInvocation, InvocationVendorDetail
    begun = func.timezone(timezone, call.started_at)
    day = cast(begun, Date)
    sums = {
        Measure.INPUT: func.sum(call.input_tokens),
        Measure.OUTPUT: func.sum(call.output_tokens),
        Measure.CACHE_READ: func.sum(call.cache_read_tokens),
        Measure.CACHE_WRITE: func.sum(call.cache_write_tokens),
        Measure.COST: func.coalesce(func.sum(detail.list_cost_usd), 0),
    }
    statement = (
        select(day, col(detail.model), *sums.values())
        .join(detail, col(detail.invocation_id) == call.id)
        .where(
            ~col(call.rehearsal),
            col(detail.model).is_not(None),
            # As a bare time of that place.
            begun >= month.begins.replace(tzinfo=None),
            begun < month.ends.replace(tzinfo=None),
        )
        .group_by(day, col(detail.model))
    )
    return {
        (when, model): {measure: Decimal(value) for measure, value in zip(sums, values, strict=True)}
        for when, model, *values in session.execute(statement)
    }


def calls_without_usage(month: BillingMonth, timezone: str, *, session: Session) -> int:
    """Return how many calls of a month were charged without that any usage became known."""
    call, detail = AgentInvocation, InvocationVendorDetail
    begun = func.timezone(timezone, call.started_at)
    statement = (
        select(func.count())
        .select_from(call)
        .outerjoin(detail, col(detail.invocation_id) == call.id)
        .where(
            ~col(call.rehearsal),
            col(call.cost_usd) > 0,
            col(detail.list_cost_usd).is_(None),
            begun >= month.begins.replace(tzinfo=None),
            begun < month.ends.replace(tzinfo=None),
        )
    )
    return session.scalar(statement) or 0
