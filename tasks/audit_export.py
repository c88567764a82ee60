"""Writing an organisation's audit chain, or a stretch of it, into a file."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from maos.audit_export import export_lines, header_of
from maos.errors import BadInput
from sql import audit, audit_rows
from sql.session import system_session
from tasks.files import write_whole


@dataclass(frozen=True)
class Stretch:
    """Which rows of an organisation: from the first one recorded since a time to the last one before another."""

    org: str
    org_id: UUID
    since: datetime | None = None
    until: datetime | None = None


def export_audit(stretch: Stretch, file: Path) -> tuple[int, int]:
    """Write the rows with what it takes to check them; return the first and the last one's sequence.

    Raises:
        BadInput: when there are none.
    """
    with system_session() as session:
        found = audit_rows.sequences_between(stretch.org_id, since=stretch.since, until=stretch.until, session=session)
        if found is None:
            raise BadInput("org", stretch.org, "an organisation with audit rows in this time")
        first, last = found
        header = header_of(
            stretch.org,
            stretch.org_id,
            first=first,
            last=last,
            # Not of the row before: it may have left the log.
            previous_hash=audit_rows.hash_before(stretch.org_id, first, session=session),
        )
        rows = audit.documents(stretch.org_id, first=first, last=last, session=session)
        write_whole(file, export_lines(header, rows))
    return first, last
