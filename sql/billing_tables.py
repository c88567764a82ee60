"""The columns of the tables about billing; constraints, triggers and row level security live in the migrations."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, Numeric, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from maos.actions import JsonObject


class BillingClosing(SQLModel, table=True):
    """A month of an organisation that no entry is billed in any more; the database numbers it."""

    __tablename__ = "billing_closings"

    org_id: UUID = Field(primary_key=True)
    month: date = Field(primary_key=True)
    number: int
    closed_at: datetime = Field(sa_type=DateTime(timezone=True))


class BillingStatement(SQLModel, table=True):
    """What a closed month comes to, as it was and stays."""

    __tablename__ = "billing_statements"

    org_id: UUID = Field(primary_key=True)
    month: date = Field(primary_key=True)
    document: JsonObject = Field(sa_type=JSONB)
    digest: str = Field(sa_type=Text)
    entries: int = Field(sa_type=BigInteger)
    total_usd: Decimal = Field(sa_type=Numeric(18, 8))
