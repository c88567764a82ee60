"""Months as they are billed: those of the calendar, in UTC."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Self

from maos.errors import BadInput
from maos.periods import Grain, following, name_of

_FORM = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")


@dataclass(frozen=True, order=True)
class BillingMonth:
    """A month, by its first day."""

    first: date

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a month such as 2026-11.

        Raises:
            BadInput: when it is none.
        """
        if not _FORM.fullmatch(text):
            raise BadInput("month", text, "a month such as 2026-11")
        return cls(date.fromisoformat(f"{text}-01"))

    @classmethod
    def before(cls, moment: datetime) -> Self:
        """Return the last month that has ended at a time."""
        this = moment.astimezone(UTC).date().replace(day=1)
        return cls(
            this.replace(year=this.year - 1, month=12) if this.month == 1 else this.replace(month=this.month - 1)
        )

    @property
    def name(self) -> str:
        """The month in a sentence: November 2026."""
        return name_of(self.first, Grain.MONTH)

    @property
    def begins(self) -> datetime:
        """Its first moment."""
        return datetime(self.first.year, self.first.month, 1, tzinfo=UTC)

    @property
    def ends(self) -> datetime:
        """The first moment after it."""
        after = following(self.first, Grain.MONTH)
        return datetime(after.year, after.month, 1, tzinfo=UTC)

    def __str__(self) -> str:
        return self.first.isoformat()[:7]
