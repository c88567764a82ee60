"""The columns of the tables about reviewers; constraints and row level security live in the migrations."""

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, DateTime, Text
from sqlmodel import Field, SQLModel

from sql.tables import utc_now

_TIME = DateTime(timezone=True)


class ReviewerCode(SQLModel, table=True):
    """An enrolment: the secret of a person's one-time codes, and what of them was used; at most one is in force."""

    __tablename__ = "reviewer_codes"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    user_id: UUID
    sealed_secret: str | None = Field(sa_type=Text)
    enrolled_at: datetime = Field(default_factory=utc_now, sa_type=_TIME)
    enrolled_by: str = Field(sa_type=Text)
    last_used_step: int = Field(default=0, sa_type=BigInteger)
    wrong_codes: int = 0
    last_wrong_at: datetime | None = Field(default=None, sa_type=_TIME)
    locked_until: datetime | None = Field(default=None, sa_type=_TIME)
    revoked_at: datetime | None = Field(default=None, sa_type=_TIME)
    revoked_by: str | None = Field(default=None, sa_type=Text)
