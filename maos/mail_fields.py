"""Fields that are taken out of messages: of the type that they should be, and said by the message itself."""

import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal, InvalidOperation

from maos.mail import ReadMail
from maos.mail_addresses import MAILBOX
from maos.mail_desk import FieldType, FoundField, MailCategory

_AMOUNT = re.compile(r"(-?\d{1,15}(?:\.\d{1,8})?) ([A-Z]{3})")
_DATES = (
    (re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b"), (1, 2, 3)),
    (re.compile(r"\b(\d{1,2})\.(\d{1,2})\.(\d{4})\b"), (3, 2, 1)),
)


def faults_of_fields(fields: Iterable[FoundField], category: MailCategory, mail: ReadMail) -> list[str]:
    """Return what is wrong with fields as they were found, in words that a writer can act on."""
    known = {field.name: field for field in category.fields}
    said = _plain(f"{mail.subject}\n{mail.text}\n{mail.quoted}\n{mail.signature}")
    faults = []
    for found in fields:
        field = known.get(found.name)
        if field is None:
            names = ", ".join(known) or "none"
            faults.append(f"field {found.name!r}: the category {category.name} has none of this name; it has: {names}")
            continue
        if not _is(field.type, found.value):
            faults.append(f"field {found.name}: {found.value!r} is no {field.type}")
        if _plain(found.quote) not in said:
            faults.append(f"field {found.name}: its quote does not stand in the message; leave the field out")
    return faults


def _is(kind: FieldType, value: str) -> bool:
    if kind is FieldType.TEXT:
        return True
    if kind is FieldType.EMAIL:
        return re.fullmatch(MAILBOX, value) is not None
    if kind is FieldType.AMOUNT:
        return _AMOUNT.fullmatch(value) is not None
    try:
        return date.fromisoformat(value) is not None if kind is FieldType.DATE else Decimal(value).is_finite()
    except (InvalidOperation, ValueError):
        return False


def _plain(text: str) -> str:
    return " ".join(text.split()).lower()


def found_by_rule(category: MailCategory, mail: ReadMail) -> tuple[FoundField, ...]:
    """Return the fields that stand in a message behind their names, as `Invoice number: 17`; and dates."""
    found = []
    for field in category.fields:
        name = field.name.replace("_", "[ _-]?")
        match = re.search(rf"(?im)^\W*{name}\s*(?:[:#]|no\.?|is)\s*(.{{1,200}})$", f"{mail.subject}\n{mail.text}")
        if match and (value := _as(field.type, match[1].strip())):
            found.append(FoundField(name=field.name, value=value, quote=match[0].strip()))
    return tuple(found)


def _as(kind: FieldType, text: str) -> str | None:
    if kind is FieldType.DATE:
        for form, (year, month, day) in _DATES:
            if match := form.search(text):
                value = f"{int(match[year]):04}-{int(match[month]):02}-{int(match[day]):02}"
                return value if _is(kind, value) else None
        return None
    if kind is FieldType.AMOUNT:
        match = _AMOUNT.search(text)
        return match[0] if match else None
    return text if _is(kind, text) else None
