"""Messages as people see them: the table of an inbox, and the message that an answer is for."""

from collections.abc import Mapping, Sequence

from maos.fences import fenced
from maos.mail import ReadMail, TakenMail
from maos.mail_plan import place_of
from maos.report_markdown import escaped

_LONGEST_SHOWN = 6000


def inbox_table(messages: Sequence[TakenMail], ignored: Mapping[str, str]) -> str:
    """Return every message that was taken, with its faults, in Markdown."""
    lines = [
        f"# {len(messages)} messages",
        "",
        "| message | from | subject | sent | faults | |",
        "|---|---|---|---|---|---|",
    ]
    for mail in messages:
        place = place_of(mail.number)
        faults = "; ".join(f"{fault.kind}: {fault.detail}" for fault in mail.faults) or "none"
        cells = (place, _sender(mail), mail.subject, _sent(mail), faults, ignored.get(place, "to be decided"))
        lines.append("| " + " | ".join(escaped(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def shown_mail(mail: ReadMail) -> str:
    """Return a message as a reviewer reads it, without effect in Markdown or HTML."""
    parts = [f"**From:** {escaped(_sender(mail))}", f"**Subject:** {escaped(mail.subject)}"]
    parts += [f"**Sent:** {_sent(mail)}"] if mail.sent_at else []
    parts += [f"**Attention:** {escaped(fault.detail)}" for fault in mail.faults]
    if mail.attachments:
        names = ", ".join(f"{file.name or 'unnamed'} ({file.media_type})" for file in mail.attachments)
        parts.append(f"**Attachments:** {escaped(names)}")
    text = mail.text if len(mail.text) <= _LONGEST_SHOWN else f"{mail.text[:_LONGEST_SHOWN]}…"
    return "\n\n".join([*parts, fenced(text)])


def _sender(mail: ReadMail) -> str:
    if mail.sender is None:
        return "nobody"
    return f"{mail.sender.name} ({mail.sender.address})" if mail.sender.name else mail.sender.address


def _sent(mail: ReadMail) -> str:
    return f"{mail.sent_at:%Y-%m-%d %H:%M} UTC" if mail.sent_at else ""
