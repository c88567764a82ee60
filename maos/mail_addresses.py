"""Addresses that mail can be sent to: plain ones, that need no quoting anywhere."""

from typing import Annotated

from pydantic import StringConstraints

from maos.requests import EmailAddress

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
MAILBOX = rf"{_ATOM}(\.{_ATOM})*@{_LABEL}(\.{_LABEL})*"

MailAddress = Annotated[EmailAddress, StringConstraints(pattern=f"^{MAILBOX}$")]
