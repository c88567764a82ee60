"""Rows of `price_overrides`: what was agreed with organisations; added, never changed."""

from collections import defaultdict
from collections.abc import Mapping
from uuid import UUID

from sqlmodel import Session, col, select

from maos.actions import JsonObject
from maos.price_overrides import PriceOverride
from sql.price_tables import PriceOverrideRow


def add_override(override: PriceOverride, *, org_id: UUID, session: Session) -> None:
    """Write an agreement."""
    fields = override.model_dump(exclude={"rates"})
    session.add(PriceOverrideRow(**fields, rates=_as_text(override), org_id=org_id))


def overrides_of(org_id: UUID, *, session: Session) -> tuple[PriceOverride, ...]:
    """Return every agreement with an organisation, the oldest first."""
    statement = (
        select(PriceOverrideRow)
        .where(PriceOverrideRow.org_id == org_id)
        .order_by(col(PriceOverrideRow.effective_from), col(PriceOverrideRow.set_at))
    )
    return tuple(map(_override_of, session.exec(statement)))


def all_overrides(*, session: Session) -> Mapping[UUID, tuple[PriceOverride, ...]]:
    """Return the agreements of every organisation that has any and that the session may see."""
    found: defaultdict[UUID, list[PriceOverride]] = defaultdict(list)
    for row in session.exec(select(PriceOverrideRow)):
        found[row.org_id].append(_override_of(row))
    return {org_id: tuple(overrides) for org_id, overrides in found.items()}


def _as_text(override: PriceOverride) -> JsonObject:
    return {name.value: f"{rate:f}" for name, rate in override.rates.items()}


def _override_of(row: PriceOverrideRow) -> PriceOverride:
    return PriceOverride.model_validate(row.model_dump(exclude={"org_id"}))
