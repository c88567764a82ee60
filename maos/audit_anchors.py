"""Anchors: the head of an audit chain as it was noted outside of the database, each bound to the one before it."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maos.audit import ChainBroken, KnownRow
from maos.canonical import canonical_json, digest_of, plain

_NOTHING_BEFORE = "0" * 64
_HASH = r"^[0-9a-f]{64}$"


class AnchorReason(StrEnum):
    """Why an anchor was written."""

    HEAD = "head"
    RETENTION = "retention"


class Anchor(BaseModel):
    """One row of a chain as it was at a time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["maos-audit-anchor"] = "maos-audit-anchor"
    version: Literal[1] = 1
    org: str
    org_id: str
    number: int = Field(ge=1)
    sequence: int = Field(ge=1)
    row_hash: str = Field(pattern=_HASH)
    reason: AnchorReason
    anchored_at: str
    previous: str = Field(pattern=_HASH, description="Digest of the anchor before it; zeros in the first one.")

    @property
    def digest(self) -> str:
        """What the next anchor builds on."""
        return digest_of(self.model_dump(mode="json"))

    @property
    def known(self) -> KnownRow:
        """What it says of the chain."""
        return KnownRow(self.sequence, self.row_hash, self.anchored_at)

    def rendered(self) -> bytes:
        """Return its file."""
        return f"{canonical_json(self.model_dump(mode='json'))}\n".encode()


def next_anchor(
    before: Anchor | None,
    *,
    org: str,
    org_id: UUID,
    row: tuple[int, str],
    reason: AnchorReason,
    anchored_at: datetime,
) -> Anchor:
    """Return the anchor that follows the newest one.

    Args:
        row: sequence and hash.
    """
    return Anchor(
        org=org,
        org_id=str(org_id),
        number=before.number + 1 if before else 1,
        sequence=row[0],
        row_hash=row[1],
        reason=reason,
        anchored_at=str(plain(anchored_at)),
        previous=before.digest if before else _NOTHING_BEFORE,
    )


def read_anchors(files: Iterable[tuple[str, bytes]], org_id: UUID) -> tuple[Anchor, ...]:
    """Return the anchors of an organisation.

    Args:
        files: name and content, in the order of their numbers.

    Raises:
        ChainBroken: naming the first one that is missing, changed or of somebody else.
    """
    anchors: list[Anchor] = []
    previous = _NOTHING_BEFORE
    for name, content in files:
        anchor = _read(name, content)
        if anchor.number != len(anchors) + 1:
            raise ChainBroken(name, f"anchor {len(anchors) + 1} is missing")
        if anchor.previous != previous:
            raise ChainBroken(name, "it does not follow the one before it: one of the two was changed")
        if anchor.org_id != str(org_id):
            raise ChainBroken(name, "it is another organisation's")
        anchors.append(anchor)
        previous = anchor.digest
    return tuple(anchors)


def _read(name: str, content: bytes) -> Anchor:
    try:
        anchor = Anchor.model_validate_json(content)
    except ValidationError:
        raise ChainBroken(name, "it cannot be read") from None
    if anchor.rendered() != content:
        raise ChainBroken(name, "it is not as maos writes it")
    return anchor
