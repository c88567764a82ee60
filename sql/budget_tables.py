"""The columns of the tables of budgets; constraints and row level security live in the migrations."""

from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import Date, Numeric, SmallInteger, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

_AMOUNT = Numeric(24, 8)


class Budget(SQLModel, table=True):
    """A limit: whose, of what, in each of which periods, and at which percentages a notice is given."""

    __tablename__ = "budgets"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    org_id: UUID
    scope: str = Field(sa_type=Text)
    scope_id: str = Field(sa_type=Text)
    period: str = Field(sa_type=Text)
    unit: str = Field(default="usd", sa_type=Text)
    limit_amount: Decimal = Field(sa_type=_AMOUNT)
    thresholds: list[int] = Field(default_factory=list, sa_type=ARRAY(SmallInteger))


class BudgetPeriodRow(SQLModel, table=True):
    """A budget in one period: its limit there, top-ups included, and the highest threshold that was noticed."""

    __tablename__ = "budget_periods"

    budget_id: UUID = Field(primary_key=True)
    period_start: date = Field(primary_key=True, sa_type=Date)
    org_id: UUID
    limit_amount: Decimal = Field(sa_type=_AMOUNT)
    noticed: int = Field(default=0, sa_type=SmallInteger)


class BudgetShare(SQLModel, table=True):
    """A share of what is left in a period of a budget, so that concurrent callers need not wait for one row.

    Only the sums over all shares of a period mean anything: what one share has set aside another may get back.
    """

    __tablename__ = "budget_shares"

    budget_id: UUID = Field(primary_key=True)
    period_start: date = Field(primary_key=True, sa_type=Date)
    share: int = Field(primary_key=True, sa_type=SmallInteger)
    org_id: UUID
    left_amount: Decimal = Field(sa_type=_AMOUNT)
    reserved_amount: Decimal = Field(default=Decimal(0), sa_type=_AMOUNT)
    spent_amount: Decimal = Field(default=Decimal(0), sa_type=_AMOUNT)
