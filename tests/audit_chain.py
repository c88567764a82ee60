"""Audit chains as values, for tests that need no database."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from maos.audit import GENESIS_HASH, AuditEvent, AuditLink, Document, document_of, link_hash, next_link
from maos.failures import FailureKind
from maos.risk import RiskLevel

ORG, RUN = UUID(int=1), UUID(int=2)
Row = tuple[Document, str]


def chain(length: int, *, old: int = 0, changed: int = 0, erasure: int = 0) -> list[Row]:
    """Return the rows of a chain.

    Args:
        old: how many were written by the first releases.
        changed: the number of one that says something else.
        erasure: the number of one that says that something was erased.
    """
    rows: list[Row] = []
    previous = GENESIS_HASH
    for number in range(1, length + 1):
        link = _link(number, previous)
        if number <= old:
            later = ("chain_version", "rules_version", "error", "summary_digest", "summary_salt")
            link = link.model_copy(update=dict.fromkeys(later))
        if number == changed:
            link = link.model_copy(update={"actor": "somebody else"})
        if number == erasure:
            link = link.model_copy(update={"event": "privacy.erased"})
        previous = link_hash(link)
        rows.append((document_of(link), previous))
    return rows


def _link(number: int, previous: str) -> AuditLink:
    event = AuditEvent(
        event="step.failed",
        actor="clerk",
        run_id=RUN,
        step_id="write",
        action="note_high",
        risk=RiskLevel.HIGH,
        success=False,
        summary=f'the engine did not deliver "{number}" \u2028 größer',
        rules_version=f"{'a' * 64}/1",
        error=FailureKind.TIMED_OUT,
    )
    at = datetime(2026, 11, 20, 12, tzinfo=UTC) + timedelta(seconds=number)
    return next_link(event, org_id=ORG, sequence=number, recorded_at=at, previous_hash=previous, salt="e" * 32)
