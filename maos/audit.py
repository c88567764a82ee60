"""The hash chain of the audit log: each row's hash covers the row and the hash before it."""

from datetime import UTC, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from maos.canonical import digest_of
from maos.risk import RiskLevel

GENESIS_HASH = "0" * 64


class AuditEvent(BaseModel):
    """Something that happened in a run or to an organisation, as an auditor reads it."""

    model_config = ConfigDict(frozen=True)

    event: str
    actor: str
    # None: it happened in no run, such as a change of the organisation's rules.
    run_id: UUID | None
    step_id: str | None = None
    action: str | None = None
    risk: RiskLevel | None = None
    was_automatic: bool = True
    approval_id: UUID | None = None
    digest: str | None = None
    success: bool = True
    summary: str


class AuditLink(AuditEvent):
    """An event in its place in an organisation's chain."""

    org_id: UUID
    sequence: int
    recorded_at: datetime
    previous_hash: str


def link_hash(link: AuditLink) -> str:
    """Return the hash of a link: SHA-256 over the canonical JSON of all its fields, times in UTC."""
    utc = link.model_copy(update={"recorded_at": link.recorded_at.astimezone(UTC)})
    return digest_of(utc.model_dump(mode="json", include=set(AuditLink.model_fields)))


class ChainFault(BaseModel):
    """The first place where a chain does not hold."""

    model_config = ConfigDict(frozen=True)

    sequence: int
    reason: str


class ChainReader:
    """Checks links in order, one at a time, so that a chain of any length takes constant memory."""

    def __init__(self) -> None:
        self.sequence = 0
        self.row_hash = GENESIS_HASH

    def read(self, link: AuditLink, row_hash: str) -> ChainFault | None:
        """Take the next link; return what is wrong with it, or None."""
        expected = self.sequence + 1
        if link.sequence != expected:
            return ChainFault(sequence=expected, reason=f"row {expected} is missing; row {link.sequence} follows")
        if link.previous_hash != self.row_hash:
            return ChainFault(sequence=expected, reason="the row does not follow the one before it")
        if link_hash(link) != row_hash:
            return ChainFault(sequence=expected, reason="the row was changed after it was written")
        self.sequence, self.row_hash = link.sequence, row_hash
        return None

    def end(self, *, sequence: int, row_hash: str) -> ChainFault | None:
        """Compare with the chain's head; return a fault when rows are missing at the end."""
        if sequence != self.sequence:
            return ChainFault(
                sequence=self.sequence + 1, reason=f"the rows end at {self.sequence}, the chain's head is {sequence}"
            )
        if row_hash != self.row_hash:
            return ChainFault(sequence=sequence, reason="the last row is not the chain's head")
        return None
