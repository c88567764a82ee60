"""The desk that answers a mailbox: its categories and colleagues, and what was decided of a message."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from maos.mail_addresses import MailAddress

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FieldType(StrEnum):
    """Of what type a field is that is taken out of messages."""

    TEXT = "text"
    NUMBER = "number"
    AMOUNT = "amount"
    DATE = "date"
    EMAIL = "email"


class MailField(_Value):
    """Something that messages of a category say, and that is taken out of them."""

    name: Word = Field(title="Name")
    type: FieldType = Field(default=FieldType.TEXT, title="Type", description="Amounts have a currency: 12.50 EUR.")
    description: str = Field(default="", title="Description", max_length=200, description="What it is, for the reader.")


class MailDecision(StrEnum):
    """What is done about a message."""

    REPLY = "reply"
    FORWARD = "forward"
    TASK = "task"
    IGNORE = "ignore"


class MailCategory(_Value):
    """A kind of message, in an organisation's own words."""

    name: Word = Field(title="Name")
    description: str = Field(title="Description", min_length=1, max_length=300, description="What belongs to it.")
    words: tuple[str, ...] = Field(
        default=(), title="Words", max_length=20, description="Words that tell it, for runs without a writer."
    )
    fields: tuple[MailField, ...] = Field(default=(), title="Fields", max_length=12, description="What to take out.")
    decisions: tuple[MailDecision, ...] = Field(
        default=tuple(MailDecision),
        title="Decisions",
        min_length=1,
        description="What may be done about it; the first is what a run without a writer does.",
    )
    forward_to: Word | None = Field(
        default=None, title="Forward to", description="The colleague that messages of it go to, as named below."
    )


class Colleague(_Value):
    """Somebody whom messages may be forwarded to; nobody else gets any."""

    name: Word = Field(title="Name")
    addresses: tuple[MailAddress, ...] = Field(title="Addresses", min_length=1, max_length=5)


_CATEGORIES = (
    MailCategory(
        name="question",
        description="Somebody asks something that the knowledge below answers.",
        words=("?", "question", "how", "when", "frage", "wie", "wann"),
        decisions=(MailDecision.REPLY, MailDecision.TASK),
    ),
    MailCategory(
        name="complaint",
        description="Somebody is not content and wants something put right.",
        words=("complaint", "broken", "damaged", "refund", "beschwerde", "defekt", "kaputt"),
        fields=(MailField(name="order_number", description="The order that it is about."),),
        decisions=(MailDecision.TASK, MailDecision.REPLY),
    ),
    MailCategory(
        name="invoice",
        description="An invoice or a reminder of one.",
        words=("invoice", "reminder", "rechnung", "mahnung"),
        fields=(
            MailField(name="invoice_number"),
            MailField(name="total", type=FieldType.AMOUNT, description="What is to be paid."),
            MailField(name="due_date", type=FieldType.DATE, description="Until when."),
        ),
        decisions=(MailDecision.TASK, MailDecision.FORWARD),
    ),
    MailCategory(name="other", description="Anything else.", decisions=(MailDecision.TASK, MailDecision.IGNORE)),
)


class MailDesk(_Value):
    """How an organisation's mail is answered; nothing of it comes from a message."""

    categories: tuple[MailCategory, ...] = Field(
        default=_CATEGORIES, title="Categories", min_length=1, max_length=20, description="The last is for the rest."
    )
    colleagues: tuple[Colleague, ...] = Field(default=(), title="Colleagues", max_length=20)
    knowledge: str = Field(
        default="", title="Knowledge", max_length=8000, description="What answers may say: facts, and nothing else is."
    )
    signature: str = Field(default="", title="Signature", max_length=500, description="Stands under every answer.")

    @model_validator(mode="after")
    def _names_what_there_is(self) -> "MailDesk":
        names = [category.name for category in self.categories]
        if len(set(names)) < len(names):
            raise ValueError("a category stands twice")
        known = {colleague.name for colleague in self.colleagues}
        for category in self.categories:
            if category.forward_to is not None and category.forward_to not in known:
                allowed = ", ".join(sorted(known)) or "none"
                raise ValueError(f"category {category.name}: forward_to names no colleague; colleagues: {allowed}")
        return self

    def category(self, name: str) -> MailCategory | None:
        """Return a category by its name."""
        return next((each for each in self.categories if each.name == name), None)

    def colleague(self, name: str) -> Colleague | None:
        """Return a colleague by their name."""
        return next((each for each in self.colleagues if each.name == name), None)


class FoundField(BaseModel):
    """A field as it was found in a message."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(description="As the category names it.", max_length=40)
    value: str = Field(
        description="A number as 12.5, an amount as 12.50 EUR, a date as 2025-11-03.", min_length=1, max_length=500
    )
    quote: str = Field(description="The very words of the message that say so.", min_length=1, max_length=500)


class AnsweredMail(BaseModel):
    """What the writer makes of a message."""

    model_config = ConfigDict(frozen=True)

    category: str = Field(description="The name of a category.", max_length=40)
    summary: str = Field(description="What the message wants, in one sentence.", min_length=1, max_length=300)
    fields: tuple[FoundField, ...] = Field(default=(), description="What the category asks for, as far as it is said.")
    decision: MailDecision = Field(description="One that the category allows.")
    reason: str = Field(description="Why, in one sentence.", min_length=1, max_length=300)
    draft: str = Field(default="", description="Of a reply: its text, without subject and signature.", max_length=5000)
    colleague: str = Field(default="", description="Of a forward: the name of a colleague.", max_length=40)


class RoutedMail(BaseModel):
    """What is done about a message."""

    model_config = ConfigDict(frozen=True)

    number: int
    category: str
    decision: MailDecision
    reason: str
    fields: tuple[FoundField, ...] = ()


def act_step(decision: MailDecision, number: int) -> str | None:
    """Return the step that does what was decided of a message; none where nothing is done."""
    return None if decision is MailDecision.IGNORE else f"{decision.value}_m{number:02}"
