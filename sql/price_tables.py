"""The columns of the tables about prices; constraints and row level security live in the migrations."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import DateTime, Numeric, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from maos.actions import JsonObject


class PriceOverrideRow(SQLModel, table=True):
    """What was agreed with an organisation on the prices of some models, from a time on."""

    __tablename__ = "price_overrides"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    org_id: UUID
    model: str = Field(sa_type=Text)
    # Amounts as text: JSON would read them as floats.
    rates: JsonObject = Field(sa_type=JSONB)
    markup_percent: Decimal = Field(sa_type=Numeric(8, 4))
    effective_from: datetime = Field(sa_type=DateTime(timezone=True))
    set_by: str = Field(sa_type=Text)
    set_at: datetime = Field(sa_type=DateTime(timezone=True))
