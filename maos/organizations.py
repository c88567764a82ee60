"""The rules of organisations: what one is called, and who may end its suspension."""

import re
from enum import StrEnum

from maos.errors import BadInput

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_LONGEST_NAME = 200

# Whoever holds the system's login, as an audit row names them: they need not be a member of anything.
OPERATOR = "operator"
# By whom every run of a suspended organisation is held.
SUSPENSION = "the suspension of the organisation"


class OrganizationStatus(StrEnum):
    """Whether anything new may start for an organisation."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


def checked_slug(slug: str) -> str:
    """Return a slug that an organisation may have.

    Raises:
        BadInput: when it may not.
    """
    if not _SLUG.fullmatch(slug):
        allowed = "lowercase letters, digits and dashes, at most 63, a letter or digit first"
        raise BadInput("slug", slug, allowed)
    return slug


def checked_name(name: str) -> str:
    """Return the name of an organisation or person without the space around it.

    Raises:
        BadInput: when nothing is left, or too much.
    """
    stripped = name.strip()
    if not 1 <= len(stripped) <= _LONGEST_NAME:
        raise BadInput("name", name, f"1 to {_LONGEST_NAME} characters")
    return stripped


def may_resume(by: str, suspended_by: str | None) -> bool:
    """Say whether a suspension may be ended by somebody: what the operator has suspended, only the operator resumes."""
    return by == OPERATOR or suspended_by not in {OPERATOR, None}
