"""The words of notices: one message for all that somebody is to be told, which opens and decides nothing."""

import json
from collections.abc import Sequence
from datetime import datetime
from html import escape
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

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


class Message(BaseModel):
    """One message."""

    model_config = ConfigDict(frozen=True)

    org: str
    told: tuple[Told, ...]

    @property
    def subject(self) -> str:
        """What it is about, in a line."""
        first = self.told[0]
        if len(self.told) == 1:
            return f"[maos {self.org}] {first.risk}: {_line(first.title)} ({_IN_WORDS[first.kind].partition(':')[0]})"
        risk = max((each.risk for each in self.told), key=lambda each: each.rank)
        return f"[maos {self.org}] {len(self.told)} approvals, the riskiest {risk}"

    @property
    def _shown(self) -> Sequence[Told]:
        return sorted(self.told, key=lambda each: (-each.risk.rank, each.decide_before))[:_MOST_LINES]

    @property
    def _closing(self) -> str:
        more = len(self.told) - len(self._shown)
        rest = f"And {more} more: maos approvals list --org {self.org}\n" if more else ""
        return f"{rest}Opening a link decides nothing: who opens it reads the form, and answers there."

    @property
    def text(self) -> str:
        """The message as plain text."""
        return "\n\n".join([*map(_as_text, self._shown), self._closing]) + "\n"

    @property
    def html(self) -> str:
        """The message as a table."""
        names = ("risk", "what", "", "asked by", "decide before", "")
        head = "".join(f"<th align=left>{name}</th>" for name in names)
        rows = "".join(f"<tr>{_as_cells(each)}</tr>" for each in self._shown)
        return f"<table cellpadding=6><tr>{head}</tr>{rows}</table><p>{escape(self._closing)}</p>"

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
        told = [each.model_dump(mode="json") for each in self.told]
        return json.dumps({"organisation": self.org, "approvals": told}, ensure_ascii=False).encode()


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
