"""What organisations are charged: their tariffs, and what is agreed with them."""

from datetime import UTC, datetime
from uuid import UUID

from maos.price_overrides import PriceOverride
from maos.roles import Permission
from maos.tariffs import Tariff
from sql import price_overrides
from sql.session import org_session
from tasks.outages import outlasting
from tasks.people import check_permission


@outlasting
def tariff_of(org_id: UUID, at: datetime | None = None) -> Tariff:
    """Return the prices of an organisation at a time, by default now."""
    # Before it is looked: what is agreed later counts from later on.
    at = at or datetime.now(UTC)
    return Tariff(at=at, overrides=overrides_of(org_id))


def overrides_of(org_id: UUID) -> tuple[PriceOverride, ...]:
    """Return what was ever agreed with an organisation, the oldest first."""
    with org_session(org_id) as session:
        return price_overrides.overrides_of(org_id, session=session)


def set_override(override: PriceOverride, *, org_id: UUID) -> None:
    """Write what is agreed with an organisation from a time on.

    Raises:
        BadInput: when the person who sets it may not.
    """
    with org_session(org_id) as session:
        check_permission(override.set_by, Permission.SET_PRICES, org_id=org_id, session=session)
        price_overrides.add_override(override, org_id=org_id, session=session)
