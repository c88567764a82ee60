"""What organisations are charged: their tariffs, and what is agreed with them."""

from datetime import UTC, datetime
from uuid import UUID

from maos.errors import BadInput
from maos.price_overrides import PriceOverride
from maos.tariffs import Tariff
from sql import organizations, price_overrides
from sql.session import org_session
from tasks.outages import outlasting

_MAY_SET_PRICES = "owner"


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
        BadInput: when the person who sets it is not an owner of the organisation.
    """
    with org_session(org_id) as session:
        person = organizations.find_member(override.set_by, session=session)
        roles = organizations.roles_of(person.id, org_id=org_id, session=session) if person else frozenset()
        if _MAY_SET_PRICES not in roles:
            raise BadInput("--as", override.set_by, f"a member of the organisation with role {_MAY_SET_PRICES}")
        price_overrides.add_override(override, org_id=org_id, session=session)
