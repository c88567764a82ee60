"""The plan of `process_email`: what is known before the mailbox is opened, and what each message adds to it."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import JsonObject
from maos.engines import EngineType
from maos.mail import MailKind, TakenMail
from maos.mail_desk import MailDesk
from maos.mail_request import MOST_MESSAGES, ProcessEmailRequest
from maos.plan_steps import WRITER_RETRY, service_step
from maos.plans import Agent, OnFailure, Plan, PlanStep

TAKE = "take_mail"
_CLERK = Agent(name="mail clerk", persona="You sort the mail, and you trust nobody who writes.")
_AUTHOR = Agent(name="correspondent", persona="You answer letters: friendly, short, and only with what you know.")


class TakeParameters(BaseModel):
    """Which messages to take, and how they are answered."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(description="The mailbox.", min_length=1, max_length=1000)
    most_messages: int = Field(ge=1, le=MOST_MESSAGES, description="The others are left to the next run.")
    desk: MailDesk = Field(description="How this organisation's mail is answered.")


class RouteParameters(BaseModel):
    """Which message is routed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: Annotated[int, Field(ge=1, le=MOST_MESSAGES)]


class AnswerParameters(BaseModel):
    """An answer takes everything from the message and the desk."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TakenMessages(BaseModel):
    """The messages that a run has taken."""

    model_config = ConfigDict(frozen=True)

    mailbox: str
    desk: MailDesk
    messages: dict[str, TakenMail] = Field(description="Each by its place: m01 is the first.")
    ignored: dict[str, str] = Field(description="Those that nothing is done about, with the reason.")


def mail_plan(request: ProcessEmailRequest) -> Plan:
    """Return the one step that is known: how many messages there are is not."""
    asked = TakeParameters(source=request.source, most_messages=request.most_messages, desk=request.desk)
    return Plan(steps=(service_step(TAKE, _CLERK, "Mailbox", asked),))


def place_of(number: int) -> str:
    """Return what a message is called in its run."""
    return f"m{number:02}"


def message_steps(numbers: Sequence[int]) -> tuple[JsonObject, ...]:
    """Return the steps that decide about messages: nothing of a message is in them but its place."""
    return tuple(step.model_dump(mode="json") for number in numbers for step in (_answer(number), _route(number)))


def why_ignored(mail: TakenMail) -> str | None:
    """Say why nothing is done about a message, without asking anybody."""
    if mail.unreadable:
        return mail.faults[-1].detail
    if mail.kind is not MailKind.PERSON:
        return mail.kind_reason
    return None


def _answer(number: int) -> PlanStep:
    return PlanStep(
        id=f"answer_{place_of(number)}",
        agent=_AUTHOR,
        phase=f"Message {number}",
        engine=EngineType.CLAUDE_CLI,
        action="answer_mail",
        inputs={"mail": f"{TAKE}.messages.{place_of(number)}", "desk": f"{TAKE}.desk"},
        retry=WRITER_RETRY,
        # One message that cannot be handled keeps no other from it.
        on_failure=OnFailure.SKIP,
    )


def _route(number: int) -> PlanStep:
    return PlanStep(
        id=f"route_{place_of(number)}",
        agent=_CLERK,
        phase=f"Message {number}",
        engine=EngineType.INTERNAL_SERVICE,
        action="route_mail",
        parameters=RouteParameters(number=number).model_dump(mode="json"),
        inputs={
            "mail": f"{TAKE}.messages.{place_of(number)}",
            "desk": f"{TAKE}.desk",
            "answer": f"answer_{place_of(number)}",
        },
        on_failure=OnFailure.SKIP,
    )
