"""Takes messages out of a mailbox for this run alone, and says what is done about each."""

from collections.abc import Mapping

from maos.actions import ArtifactRef, JsonObject, StepOutcome
from maos.mail import FaultKind, TakenMail
from maos.mail_desk import AnsweredMail, MailDesk, RoutedMail
from maos.mail_outcomes import MailOutcome
from maos.mail_plan import RouteParameters, TakenMessages, TakeParameters, message_steps, place_of, why_ignored
from maos.mail_routes import act_of, routed
from maos.mail_view import inbox_table
from maos.risk import RiskLevel
from maos.settings import load_settings
from tasks.apart import run_apart
from tasks.connections import mail_server
from tasks.files import write_file
from tasks.mail_claims import claim, describe, recipient_of
from tasks.mail_closing import settle_mail
from tasks.mail_sources import MailSource, RawMail
from tasks.mailboxes import own_addresses, read_apart, source_of
from tasks.secrecy import for_clients
from tasks.services.registry import ServiceCall, internal_service

INBOX = "inbox/inbox.md"


@internal_service(
    action="take_mail",
    risk=RiskLevel.LOW,
    title="Take new messages out of the mailbox for this run alone, and read them.",
    parameters=TakeParameters,
    output=TakenMessages,
    read_only=True,
    proposes_steps=True,
    # It notes in the database whose the messages are; reading them is done in processes of their own.
    apart=False,
    timeout_seconds=300.0,
)
def take_mail(call: ServiceCall[TakeParameters]) -> StepOutcome:
    """Take messages and read them; doing it again takes the same ones."""
    asked = call.parameters
    source = source_of(asked.source, org=call.run.org, settings=load_settings())
    run = recipient_of(call.run.run_id, source.place)
    settle_mail(run.org_id, source=source)
    keys = run_apart(source.keys, timeout_seconds=call.timeout_seconds)
    claimed = claim(run, keys, most=asked.most_messages)
    messages = _read(call, source, claimed)
    ignored = describe(run, messages, _reasons(messages))
    numbers = [mail.number for mail in messages if place_of(mail.number) not in ignored]
    table = write_file(call.folder, INBOX, inbox_table(messages, ignored).encode(), "text/markdown")
    taken = TakenMessages(
        mailbox=source.place,
        desk=asked.desk,
        messages={place_of(mail.number): mail for mail in messages},
        ignored=ignored,
    )
    return StepOutcome(
        output=taken.model_dump(mode="json"),
        summary=f"Took {len(messages)} messages; nothing is to be done about {len(ignored)} of them.",
        artifacts=(table, *(mail.file for mail in messages if mail.file)),
        proposed_steps=message_steps(numbers),
    )


def _read(call: ServiceCall[TakeParameters], source: MailSource, claimed: Mapping[str, int]) -> list[TakenMail]:
    own = own_addresses(source, mail_server().sender)

    def fetch() -> dict[str, tuple[ArtifactRef, int]]:
        # Written where they are fetched: together they may be larger than what a process hands back.
        return {
            key: (write_file(call.folder, _file_of(claimed[key]), raw.content, "message/rfc822"), raw.size)
            for key, raw in source.fetch(list(claimed))
            if raw is not None
        }

    files = run_apart(fetch, timeout_seconds=call.timeout_seconds)
    return [_message(call, number, own, *files.get(key, (None, 0))) for key, number in claimed.items()]


def _message(
    call: ServiceCall[TakeParameters], number: int, own: frozenset[str], file: ArtifactRef | None, size: int
) -> TakenMail:
    if file is None:
        return TakenMail(number=number)
    raw = RawMail((call.folder / file.name).read_bytes(), size)
    return TakenMail(**dict(read_apart(raw, own)), number=number, file=file)


def _file_of(number: int) -> str:
    return f"inbox/{place_of(number)}.eml"


def _reasons(messages: list[TakenMail]) -> dict[int, tuple[MailOutcome, str]]:
    found: dict[int, tuple[MailOutcome, str]] = {}
    for mail in messages:
        if mail.file is None:
            found[mail.number] = (MailOutcome.GONE, "it was gone before it was read")
        elif reason := why_ignored(mail):
            unreadable = any(fault.kind is FaultKind.UNREADABLE for fault in mail.faults)
            found[mail.number] = (MailOutcome.UNREADABLE if unreadable else MailOutcome.IGNORED, reason)
    return found


@internal_service(
    action="route_mail",
    risk=RiskLevel.LOW,
    title="Say what is done about a message, within what its category allows.",
    parameters=RouteParameters,
    inputs={"mail": TakenMail, "desk": MailDesk, "answer": AnsweredMail},
    output=RoutedMail,
    read_only=True,
    proposes_steps=True,
)
def route_mail(call: ServiceCall[RouteParameters]) -> StepOutcome:
    """Make what was decided of a message the next step, with recipients that the message cannot choose."""
    mail = TakenMail.model_validate(call.inputs["mail"])
    desk = MailDesk.model_validate(call.inputs["desk"])
    written = AnsweredMail.model_validate(call.inputs["answer"])
    # What an engine says about its decision is read by people: without its name.
    answer = written.model_copy(update={"reason": for_clients(written.reason, limit=None)})
    route = routed(mail, desk, answer)
    act = act_of(route, mail, desk, answer)
    steps: tuple[JsonObject, ...] = (act.model_dump(mode="json"),) if act else ()
    return StepOutcome(
        output=route.model_dump(mode="json"),
        summary=f"Message {mail.number} is {route.category}; decided: {route.decision}.",
        proposed_steps=steps,
    )
