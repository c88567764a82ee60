"""Ids as people give them: whole, or shortened where unique."""

import re
from collections.abc import Callable, Sequence
from uuid import UUID

from sqlmodel import Session

from maos.errors import BadInput
from sql.approvals import approval_ids_like
from sql.exemptions import exemption_ids_like
from sql.invocation_list import invocation_ids_like
from sql.runs import run_ids_like
from sql.session import system_session

_PREFIX = re.compile(r"^[0-9a-f-]{4,36}$")


def run_id_of(text: str) -> UUID:
    """Return the id of the run that the text names.

    Raises:
        BadInput: when it names none, or more than one.
    """
    return _id_of("run", text, lambda prefix, session: run_ids_like(prefix, session=session))


def approval_id_of(text: str) -> UUID:
    """Return the id of the approval that the text names.

    Raises:
        BadInput: when it names none, or more than one.
    """
    return _id_of("approval", text, lambda prefix, session: approval_ids_like(prefix, session=session))


def invocation_id_of(text: str) -> UUID:
    """Return the id of the invocation that the text names.

    Raises:
        BadInput: when it names none, or more than one.
    """
    return _id_of("invocation", text, lambda prefix, session: invocation_ids_like(prefix, session=session))


def exemption_id_of(text: str) -> UUID:
    """Return the id of the exemption that the text names.

    Raises:
        BadInput: when it names none, or more than one.
    """
    return _id_of("exemption", text, lambda prefix, session: exemption_ids_like(prefix, session=session))


def _id_of(kind: str, text: str, find: Callable[[str, Session], Sequence[UUID]]) -> UUID:
    prefix = text.strip().lower()
    if not _PREFIX.match(prefix):
        raise BadInput(kind, text, "an id, or at least its first four characters")
    with system_session() as session:
        found = find(prefix, session)
    if len(found) == 1:
        return found[0]
    raise BadInput(kind, text, "an id that exists" if not found else "more characters: several begin like this")
