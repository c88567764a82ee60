"""Deleting an organisation: one owner asks, everything is exported, a second owner confirms, a tombstone remains."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from sqlmodel import Session

from maos.audit import act_of
from maos.errors import BadInput
from maos.exports import Manifest
from maos.roles import Permission
from maos.settings import load_settings
from maos.statement_page import page_of
from sql import audit, billing, client_logins, deletions, organizations, runs
from sql.session import system_session
from sql.tables import Organization
from tasks.billing import closed_statements
from tasks.exports import is_intact, manifest_now, private, stores_of, write_export
from tasks.people import check_permission


@dataclass(frozen=True)
class Request:
    """What was written for a deletion that waits for its second owner."""

    id: UUID
    folder: Path
    manifest: Manifest


def request_deletion(org_id: UUID, *, by: str, exports: Path | None = None) -> Request:
    """Export an organisation and ask for its deletion.

    Args:
        exports: where the export's folder is made, instead of below `MAOS_HOME`.

    Raises:
        BadInput: when the person may not, or the organisation has open runs, a client login, or usage not yet billed.
    """
    request_id = uuid4()
    with system_session(actor=by) as session:
        org = _closed(org_id, by, session)
        folder = (exports or load_settings().export_store).absolute() / f"{org.slug}-{request_id}"
        summary = f"deletion {request_id} of {org.slug} requested by {by} (identity unverified); exported to {folder}"
        event = act_of(by, "organization.deletion_requested", summary)
        # Before the export, which is to hold it.
        audit.append_audit(event, org_id=org_id, session=session)
        session.flush()
        manifest = _written(org, folder, session)
        deletions.add_request(
            request_id, by, folder=str(folder), digest=manifest.digest, org_id=org_id, session=session
        )
    return Request(request_id, folder, manifest)


def confirm_deletion(org_id: UUID, request_id: UUID, *, by: str) -> Path:
    """Carry a deletion out as its second owner; return the export's folder, where the files of the runs are now too.

    What was exported is what is deleted: the organisation must be as it was then, and its export must be there.

    Raises:
        BadInput: when the person may not, or anything else is not as it has to be.
    """
    with system_session(actor=by) as session:
        org = _closed(org_id, by, session)
        request = deletions.find_request(request_id, session=session)
        if request is None or request.org_id != org_id:
            raise BadInput("--confirm", str(request_id), f"a request for the deletion of {org.slug}")
        folder = Path(request.export_folder)
        if not is_intact(folder, request.export_digest):
            raise BadInput("--confirm", str(request_id), f"a request whose export is in {folder} as it was written")
        digest = manifest_now(org, session=session).digest
        deletions.delete_organization(org_id, request_id, digest, session=session)
    for kind, store in stores_of(org.slug).items():
        if store.exists():
            shutil.move(store, folder / kind)
    return folder


def _closed(org_id: UUID, by: str, session: Session) -> Organization:
    """Return the organisation, to which nobody adds anything until the transaction ends."""
    deletions.close_organization(org_id, session=session)
    check_permission(by, Permission.DELETE, org_id=org_id, session=session)
    org = organizations.lock_organization(org_id, session=session)
    if open_runs := runs.count_open(org_id, session=session):
        raise BadInput("slug", org.slug, f"an organisation without open runs; this one has {open_runs}")
    if due := billing.due_months(org_id, session=session):
        why = f"that of {due[0]} is not: maos billing close, once it has ended"
        raise BadInput("slug", org.slug, f"an organisation whose usage is billed; {why}")
    if client_logins.find_login(org_id, session=session):
        raise BadInput("slug", org.slug, "an organisation without a client login: maos org client-login SLUG --drop")
    return org


def _written(org: Organization, folder: Path, session: Session) -> Manifest:
    try:
        manifest = write_export(org, folder, session=session)
        # For people; whatever they say is in the statements among the rows.
        for statement in closed_statements(None, org.id):
            private(folder / f"{statement.reference}.html").write_text(page_of(statement))
    except BaseException:
        # Half an export would be taken for one.
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return manifest
