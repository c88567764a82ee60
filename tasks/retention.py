"""Removing months of the audit log that nobody keeps any more; each step may be interrupted and done again."""

import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from uuid import UUID

from maos.audit import AuditEvent, ChainBroken
from maos.audit_anchors import AnchorReason
from sql import retention
from sql.audit import append_audit, organizations_with_audit
from sql.audit_months import documents_of_month
from sql.retention import Stretch
from sql.retention_tables import AuditArchive
from sql.session import only_one, system_session
from tasks.audit_anchors import ANCHORING, anchor_row, chain_of
from tasks.audit_archives import check_archive, write_archive
from tasks.files import checksum_of

# Any constant will do: it keeps two removals apart.
_REMOVING = 0x72657461
_PATIENCE_SECONDS, _PAUSE_SECONDS = 90.0, 0.3


def apply_retention(*, rehearse: bool = False) -> list[str]:
    """Remove the months of the log that every organisation in them lets go, the oldest first; say what was done.

    Args:
        rehearse: only say what would be done.
    """
    with system_session() as session:
        if not only_one(_REMOVING, session=session):
            return ["somebody else is removing months just now"]
        return [*_finish_what_was_begun(rehearse=rehearse), *_remove_what_is_due(rehearse=rehearse)]


def _finish_what_was_begun(*, rehearse: bool) -> list[str]:
    with system_session() as session:
        months = retention.unfinished_months(session=session)
    return [f"{month:%Y-%m} would be removed" if rehearse else _finish(month) for month in months]


def _remove_what_is_due(*, rehearse: bool) -> list[str]:
    with system_session() as session:
        months = retention.ended_months(session=session)
    said: list[str] = []
    for month in months:
        # Of a month after one that would be removed, where it begins is not known before that one is.
        stretches, reason = _keepers(month, placed=not (rehearse and said))
        if not stretches:
            continue
        reason = reason or ("" if rehearse else _not_detached(month, stretches))
        if reason:
            # What follows is kept, too: the log begins in one place.
            return [*said, f"{month:%Y-%m} and later are kept: {reason}"]
        said.append(f"{month:%Y-%m} would be removed" if rehearse else _finish(month))
    return said


def _keepers(month: date, *, placed: bool) -> tuple[list[Stretch], str]:
    """Return what a month holds, and what keeps it.

    Args:
        placed: whether it has to be the beginning of what the log has.
    """
    with system_session() as session:
        stretches = retention.stretches_of(month, session=session)
        kept = retention.kept_by(month, [each.org_id for each in stretches], session=session)
    reasons = [f"{org}: {why}" for org, why in kept]
    if not reasons and placed and not all(each.begins for each in stretches):
        reasons = ["rows of an organisation lie across months, as a clock that went wrong leaves them"]
    return stretches, "; ".join(reasons)


def _not_detached(month: date, stretches: Sequence[Stretch]) -> str:
    """Take a month out of the log; return why that could not be done, if it could not."""
    # First: where the log will begin has to be known outside of the database before anything is removed from it.
    if not _anchor_ends(stretches):
        return "chains are being anchored just now; it is tried again the next time"
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not _detach(month):
        if time.monotonic() + _PAUSE_SECONDS > deadline:
            return "the audit log was in use; it is tried again the next time"
        time.sleep(_PAUSE_SECONDS)
    return ""


def _anchor_ends(stretches: Sequence[Stretch]) -> bool:
    with system_session() as session:
        if not only_one(ANCHORING, session=session):
            return False
        slugs = dict(organizations_with_audit(session=session))
        for each in stretches:
            row = (each.last_sequence, each.last_hash)
            anchor_row(chain_of(slugs[each.org_id], each.org_id), row, AnchorReason.RETENTION)
    return True


def _detach(month: date) -> bool:
    with system_session() as session:
        return retention.detach(month, session=session)


def _finish(month: date) -> str:
    """Export what was taken out with a month, look at the files once more, and remove it."""
    with system_session() as session:
        archives = retention.archives_of_month(month, session=session)
    for archive, org in archives:
        if archive.exported_at is None:
            _export(archive, org)
    with system_session() as session:
        for archive, _ in retention.archives_of_month(month, session=session):
            if archive.sha256 is None or checksum_of(Path(str(archive.file))) != archive.sha256:
                raise ChainBroken(str(archive.file), "the file is not as it was written; its rows are not removed")
        if not retention.drop(month, session=session):
            return f"{month:%Y-%m} exported, and not removed: a hold or a longer retention came in between"
    return f"{month:%Y-%m} removed: {sum(_rows(archive) for archive, _ in archives)} rows in {len(archives)} files"


def _rows(archive: AuditArchive) -> int:
    return archive.last_sequence - archive.first_sequence + 1


def _export(archive: AuditArchive, org: str) -> None:
    with system_session() as session:
        rows = documents_of_month(archive.month, archive.org_id, session=session)
        file, sha256 = write_archive(archive, org, rows)
    with system_session() as session:
        # Once, whoever comes second.
        if not retention.note_export(archive, file=str(file), sha256=sha256, session=session):
            return
        event = AuditEvent(
            event="audit.archived",
            actor="maos",
            run_id=None,
            digest=sha256,
            summary=f"rows {archive.first_sequence} to {archive.last_sequence}, of {archive.month:%Y-%m}, "
            f"leave the log for {file.name}",
        )
        append_audit(event, org_id=archive.org_id, session=session)


def check_archives(org_id: UUID) -> Sequence[AuditArchive]:
    """Read every archive of an organisation anew; return them, the oldest first.

    Raises:
        ChainBroken: naming the first file that is missing or does not hold.
    """
    with system_session() as session:
        found = retention.archives_of(org_id, session=session)
    # What is being taken out just now has no file yet.
    archives = [archive for archive in found if archive.exported_at]
    for archive in archives:
        file = Path(str(archive.file))
        if checksum_of(file) != archive.sha256:
            raise ChainBroken(file.name, "it is missing or changed")
        check_archive(archive, file)
    return archives
