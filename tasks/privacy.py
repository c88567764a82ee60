"""Erasing a person's data from what runs were given and have made; the audit chain stays as it is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlmodel import Session

from maos.audit import AuditEvent
from maos.errors import BadInput
from maos.roles import Permission
from maos.settings import load_settings
from sql import audit, privacy, retention
from sql.session import org_session, system_session
from tasks.people import check_permission

_SHORTEST = 4
_READ_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Request:
    """Whose data is to go, from which organisation, and who says so.

    Args:
        subjects: how the person is named: an address first, then perhaps names; case does not matter.
    """

    org: str
    org_id: UUID
    subjects: tuple[str, ...]
    person: str


@dataclass(frozen=True)
class Erased:
    """What was taken out, by run, and what stays."""

    rows: dict[UUID | None, int]
    files: dict[UUID, int]
    # Audit rows that name the person.
    staying: Sequence[int]

    @property
    def run_ids(self) -> list[UUID]:
        """The runs of which something is gone."""
        return sorted({*self.files, *(run_id for run_id in self.rows if run_id)})


class _Rehearsed(Exception):
    def __init__(self, rows: dict[UUID | None, int]) -> None:
        super().__init__()
        self.rows = rows


def erase(request: Request, *, rehearse: bool = False) -> Erased:
    """Take out what mentions a person; files first, so that whoever is interrupted can do it again.

    Args:
        rehearse: only say what would be taken out.

    Raises:
        BadInput: when the person may not, a hold forbids it, or a run that mentions the subject has no end.
    """
    _check(request)
    # Before anything is removed: whether some run forbids it shows only here.
    rows = _rehearsed(request)
    files = _files_of_runs(request)
    if rehearse:
        return _told(request, rows, files)
    for paths in files.values():
        for path in paths:
            path.unlink(missing_ok=True)
    with system_session() as session:
        rows = _erase_rows(request, session=session)
        for event in _events(request, rows, files):
            audit.append_audit(event, org_id=request.org_id, session=session)
    return _told(request, rows, files)


def _check(request: Request) -> None:
    for subject in request.subjects:
        if len(subject) < _SHORTEST or set(subject) & set('"\\'):
            allowed = f"at least {_SHORTEST} characters, without quotes and backslashes: it is looked for in all texts"
            raise BadInput("--subject", subject, allowed)
    with org_session(request.org_id) as session:
        check_permission(request.person, Permission.ERASE, org_id=request.org_id, session=session)
        holds = retention.open_holds(request.org_id, session=session)
    if holds:
        raise BadInput("--org", request.org, f"one without a legal hold; {holds[0].id} has to be released first")


def _rehearsed(request: Request) -> dict[UUID | None, int]:
    try:
        with system_session() as session:
            raise _Rehearsed(_erase_rows(request, session=session))
    except _Rehearsed as done:
        return done.rows


def _erase_rows(request: Request, *, session: Session) -> dict[UUID | None, int]:
    rows = privacy.erase_mentions(request.org_id, request.subjects, session=session)
    # What somebody is asked to approve must not change under their eyes.
    if going_on := privacy.without_end([run_id for run_id in rows if run_id], session=session):
        named = ", ".join(map(str, going_on))
        raise BadInput("--subject", request.subjects[0], f"somebody whom only ended runs mention; end first: {named}")
    return rows


def _files_of_runs(request: Request) -> dict[UUID, list[Path]]:
    """Return the files of ended runs that mention a subject, by run."""
    folders = dict(_run_folders(load_settings().artifact_store / request.org))
    with system_session() as session:
        ended = privacy.ended_run_ids(folders, request.org_id, session=session)
    needles = [subject.lower().encode() for subject in request.subjects]
    found = {
        run_id: [path for path in folders[run_id].rglob("*") if path.is_file() and _has_any(path, needles)]
        for run_id in ended
    }
    return {run_id: paths for run_id, paths in found.items() if paths}


def _run_folders(store: Path) -> Iterator[tuple[UUID, Path]]:
    for folder in store.iterdir() if store.is_dir() else ():
        try:
            yield UUID(folder.name), folder
        except ValueError:
            # Archives and anchors, which belong to the chain.
            continue


def _has_any(path: Path, needles: Sequence[bytes]) -> bool:
    longest, before = max(map(len, needles)), b""
    with path.open("rb") as file:
        while chunk := file.read(_READ_AT_ONCE):
            content = before + chunk.lower()
            if any(needle in content for needle in needles):
                return True
            before = content[-longest:]
    return False


def _events(request: Request, rows: dict[UUID | None, int], files: dict[UUID, list[Path]]) -> Iterator[AuditEvent]:
    """Yield what the chain is told: how much, of which run, by whom; not of whom."""
    for run_id in sorted({*rows, *files}, key=str):
        gone = f"{rows.get(run_id, 0)} rows and {len(files.get(run_id, ())) if run_id else 0} files"
        yield AuditEvent(
            event="privacy.erased",
            actor=request.person,
            run_id=run_id,
            was_automatic=False,
            summary=f"a person's data erased from {gone}, on behalf of {request.person} (identity unverified)",
        )


def _told(request: Request, rows: dict[UUID | None, int], files: dict[UUID, list[Path]]) -> Erased:
    with system_session() as session:
        staying = privacy.audit_rows_that_mention(request.org_id, request.subjects, session=session)
    return Erased(rows, {run_id: len(paths) for run_id, paths in files.items()}, staying)
