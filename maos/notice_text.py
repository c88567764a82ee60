"""The words of notices: one message for all that somebody is to be told, which opens and decides nothing."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from html import escape
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from maos.budgets import EVER, BudgetPeriod, BudgetScope, BudgetUnit
from maos.labels import printable
from maos.notices import NoticeKind
from maos.risk import RiskLevel

_MOST_LINES = 50
_LONGEST = 300
_IN_WORDS = {
    NoticeKind.REQUESTED: "waits for a decision",
    NoticeKind.REMINDER: "still waits for a decision",
    NoticeKind.ESCALATED: "was escalated: nobody decided in time",
    NoticeKind.EXPIRED: "expired: nobody decided in time",
}


class Told(BaseModel):
    """What is told of one approval."""

    model_config = ConfigDict(frozen=True)

    kind: NoticeKind
    approval: UUID
    run: UUID | None
    step: str
    title: str
    risk: RiskLevel
    asked_by: str
    decide_before: datetime
    page: str = Field(description="Where its form is; a command, where it has none.")


class ToldBudget(BaseModel):
    """What is told of one budget: that a threshold was reached, and how it stands by now."""

    model_config = ConfigDict(frozen=True)

    budget: str = Field(description="Which it is, in words.")
    scope: BudgetScope
    name: str = Field(description="Of the organisation, team or agent, or the id of the run.")
    unit: BudgetUnit
    period: BudgetPeriod
    begins: date = Field(description="First day of the period.")
    percent: int = Field(description="The highest threshold that was reached.")
    limit: Decimal
    spent: Decimal
    left: Decimal = Field(description="What calls can still take: not what is spent or set aside.")

    @property
    def in_words(self) -> str:
        """Which threshold of which budget was reached."""
        since = "" if self.begins == EVER else f" from {self.begins:%Y-%m-%d}"
        return f"{_line(self.budget)}{since}: {self.percent} % reached"

    @property
    def standing(self) -> str:
        """How the budget stands, and what becomes of runs."""
        unit = self.unit
        figures = f"{unit.in_words(self.spent)} of {unit.in_words(self.limit)} spent, {unit.in_words(self.left)} left"
        return f"{figures}; a run whose next call does not fit waits for a top-up"


class Message(BaseModel):
    """One message."""

    model_config = ConfigDict(frozen=True)

    org: str
    told: tuple[Told, ...] = ()
    budgets: tuple[ToldBudget, ...] = ()

    @property
    def subject(self) -> str:
        """What it is about, in a line."""
        parts = [*self._approvals_in_a_line, *self._budgets_in_a_line]
        return f"[maos {self.org}] {'; '.join(parts)}"

    @property
    def _approvals_in_a_line(self) -> Sequence[str]:
        if not self.told:
            return []
        first = self.told[0]
        if len(self.told) == 1:
            return [f"{first.risk}: {_line(first.title)} ({_IN_WORDS[first.kind].partition(':')[0]})"]
        risk = max((each.risk for each in self.told), key=lambda each: each.rank)
        return [f"{len(self.told)} approvals, the riskiest {risk}"]

    @property
    def _budgets_in_a_line(self) -> Sequence[str]:
        if len(self.budgets) == 1:
            return [f"budget: {self.budgets[0].in_words}"]
        return [f"{len(self.budgets)} budgets come to their end"] if self.budgets else []

    @property
    def _shown(self) -> Sequence[Told]:
        return sorted(self.told, key=lambda each: (-each.risk.rank, each.decide_before))[:_MOST_LINES]

    @property
    def _closing(self) -> str:
        if not self.told:
            return ""
        more = len(self.told) - len(self._shown)
        rest = f"And {more} more: maos approvals list --org {self.org}\n" if more else ""
        return f"{rest}Opening a link decides nothing: who opens it reads the form, and answers there."

    @property
    def _budgets_shown(self) -> Sequence[ToldBudget]:
        return sorted(self.budgets, key=lambda each: -each.percent)[:_MOST_LINES]

    @property
    def _budgets_closing(self) -> str:
        return f"All budgets: maos budgets show --org {self.org}" if self.budgets else ""

    @property
    def text(self) -> str:
        """The message as plain text."""
        budgets = [f"budget: {each.in_words}\n  {each.standing}" for each in self._budgets_shown]
        parts = [*map(_as_text, self._shown), self._closing, *budgets, self._budgets_closing]
        return "\n\n".join(filter(None, parts)) + "\n"

    @property
    def html(self) -> str:
        """The message as a table of approvals, and one of budgets."""
        return self._approvals_as_table + self._budgets_as_table

    @property
    def _approvals_as_table(self) -> str:
        if not self.told:
            return ""
        names = ("risk", "what", "", "asked by", "decide before", "")
        head = "".join(f"<th align=left>{name}</th>" for name in names)
        rows = "".join(f"<tr>{_as_cells(each)}</tr>" for each in self._shown)
        return f"<table cellpadding=6><tr>{head}</tr>{rows}</table><p>{escape(self._closing)}</p>"

    @property
    def _budgets_as_table(self) -> str:
        if not self.budgets:
            return ""
        cells = ((escape(each.in_words), escape(each.standing)) for each in self._budgets_shown)
        rows = "".join(f"<tr><td>{threshold}</td><td>{standing}</td></tr>" for threshold, standing in cells)
        return f"<table cellpadding=6>{rows}</table><p>{escape(self._budgets_closing)}</p>"

    @property
    def slack(self) -> str:
        """The message as text in which nothing calls or addresses anybody."""
        # Escaping is not enough: the library that sends it makes calls of what looks like one.
        return self.text.replace("<", "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}").replace(
            ">", "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
        )

    @property
    def content(self) -> bytes:
        """The message as JSON."""
        approvals = [each.model_dump(mode="json") for each in self.told]
        budgets = [each.model_dump(mode="json") for each in self.budgets]
        body = {"organisation": self.org, "approvals": approvals, "budgets": budgets}
        return json.dumps(body, ensure_ascii=False).encode()


def _line(text: str) -> str:
    return printable(" ".join(text.split()), _LONGEST)


def _as_text(told: Told) -> str:
    return (
        f"{told.risk}: {_line(told.title)}\n"
        f"  step {_line(told.step)} {_IN_WORDS[told.kind]}\n"
        f"  asked by {_line(told.asked_by)}, to be decided before {_time(told)}\n"
        f"  {told.page}"
    )


def _as_cells(told: Told) -> str:
    is_link = told.page.startswith(("http://", "https://"))
    page = f'<a href="{escape(told.page)}">open</a>' if is_link else escape(told.page)
    texts = (told.risk.value, _line(told.title), _IN_WORDS[told.kind], _line(told.asked_by), _time(told))
    return "".join(f"<td>{cell}</td>" for cell in (*map(escape, texts), page))


def _time(told: Told) -> str:
    return f"{told.decide_before:%Y-%m-%d %H:%M} UTC"
