"""An organisation is deleted by two owners, exactly as it was exported, and leaves a tombstone."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from click.testing import CliRunner
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from console.org import org
from maos.audit import AuditLink, ChainReader, document_of
from maos.billing import NotBilled
from maos.canonical import digest_of
from maos.errors import BadInput
from maos.exports import Manifest
from maos.organizations import OPERATOR
from maos.roles import Role
from maos.settings import load_settings
from sql import billing
from sql.session import org_session, system_session
from tasks.billing import statement_of
from tasks.client_logins import drop_login, make_login
from tasks.deletions import Request, confirm_deletion, request_deletion
from tasks.organizations import create_organization, suspend
from tasks.people import add_person, revoke
from tests.billed_calls import add_billed
from tests.gates import rows
from tests.rows import add_run
from tests.tenants import BILLED_MONTH, Tenant, fill


@pytest.fixture
def acme(database: str) -> Tenant:  # noqa: ARG001
    tenant = fill("acme")
    folder = load_settings().artifact_store / "acme" / str(tenant.run)
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<p>done</p>")
    return tenant


def _lines(folder: Path, name: str) -> list[Any]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def _left(tenant: Tenant) -> list[str]:
    """Return the tables that have a row of the organisation."""
    tables = rows(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'org_id'"
    )
    counted = {name: rows(f"SELECT count(*) FROM {name} WHERE org_id = '{tenant.id}'")[0][0] for (name,) in tables}
    return sorted(name for name, count in counted.items() if count and "audit_log_" not in name)


def test_two_owners_delete_an_organisation_and_a_tombstone_remains(acme: Tenant) -> None:
    other = fill("other")
    others = _left(other)
    head = rows(f"SELECT sequence, row_hash FROM audit_chain_heads WHERE org_id = '{acme.id}'")
    asked = CliRunner().invoke(org, ["delete", "acme", "--as", acme.owner], catch_exceptions=False)
    request = asked.output.split()[-1]

    done = CliRunner().invoke(
        org, ["delete", "acme", "--as", acme.second_owner, "--confirm", request], catch_exceptions=False
    )

    folder = load_settings().export_store / f"acme-{request}"
    assert done.output == f"organisation acme: deleted; its rows and files are in {folder}\n"
    assert _left(acme) == []
    assert rows("SELECT slug FROM organizations") == [("other",)]
    assert _left(other) == others
    listed = CliRunner().invoke(org, ["list", "--deleted", "--json"], catch_exceptions=False)
    (stone,) = json.loads(listed.output)
    assert (stone["slug"], stone["requested_by"], stone["confirmed_by"]) == ("acme", acme.owner, acme.second_owner)
    # The request itself is the chain's last row.
    assert stone["chain_sequence"] == head[0][0] + 1
    reader = ChainReader()
    for row in _lines(folder, "agent_action_audit_log"):
        assert reader.read(document_of(AuditLink.model_validate(row)), row["row_hash"]) is None
    assert (reader.sequence, reader.row_hash) == (stone["chain_sequence"], stone["chain_hash"])
    assert Manifest.model_validate_json((folder / "manifest.json").read_text()).digest == stone["export_digest"]
    assert (folder / "artifacts" / str(acme.run) / "report.html").read_text() == "<p>done</p>"
    assert not (load_settings().artifact_store / "acme").exists()


def test_an_export_holds_every_table_and_is_closed_to_others(acme: Tenant, database: str) -> None:
    request = request_deletion(acme.id, by=acme.owner)

    with psycopg.connect(database) as connection:
        found = connection.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id' "
            "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        )
        tables = {str(row[0]) for row in found}
    exported = {file.name: file.rows for file in request.manifest.files}
    assert exported.keys() == tables - {"organization_deletions"} | {"organizations", "users", "files"}
    # A login is dropped first, and no month has left the audit log.
    assert {name for name, count in exported.items() if count == 0} == {"audit_archives", "client_logins"}
    (run,) = _lines(request.folder, "orchestrator_runs")
    assert run["title"] == "Run of acme"
    (usage,) = [row for row in _lines(request.folder, "usage_entries") if row["kind"] == "settle"]
    assert f"{usage['amount_usd']:.2f}" == "0.25"
    (file,) = _lines(request.folder, "files")
    assert file["path"] == f"artifacts/{acme.run}/report.html"
    assert request.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in request.folder.iterdir()} == {0o600}


def test_the_invoices_of_a_deleted_organisation_stay_in_its_export(acme: Tenant, database: str) -> None:
    other = fill("other")
    invoice = statement_of(acme.id, BILLED_MONTH)
    request = request_deletion(acme.id, by=acme.owner)
    confirm_deletion(acme.id, request.id, by=acme.second_owner)

    (kept,) = _lines(request.folder, "billing_statements")
    assert kept["document"] == invoice.document()
    assert kept["digest"] == digest_of(kept["document"]) == invoice.digest
    page = (request.folder / "acme-0001.html").read_text()
    assert "acme-0001" in page
    assert invoice.digest in page
    # What let these go lets no other go, not even for whoever owns the server.
    with psycopg.connect(database) as connection, pytest.raises(psycopg.errors.RestrictViolation):
        connection.execute("DELETE FROM billing_statements")
    assert statement_of(other.id, BILLED_MONTH).reference == "other-0001"


def test_an_organisation_whose_usage_is_not_billed_is_kept(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    add_billed(acme.id, acme.run, "1", at=now, step="late")
    reason = f"an organisation whose usage is billed; that of {now:%Y-%m} is not"

    with pytest.raises(BadInput, match=reason):
        request_deletion(acme.id, by=acme.owner)
    # The database asks for itself.
    monkeypatch.setattr(billing, "due_months", lambda *_, **__: [])
    assert reason in _confirm(acme, request_deletion(acme.id, by=acme.owner), acme.second_owner)


def test_an_organisation_whose_statement_was_changed_is_not_exported(acme: Tenant, database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE billing_statements SET digest = repeat('0', 64)")

    with pytest.raises(NotBilled, match="not the one that was written"):
        request_deletion(acme.id, by=acme.owner)
    assert list(load_settings().export_store.glob("*")) == []


def _confirm(acme: Tenant, request: Request, by: str) -> str:
    with pytest.raises(BadInput) as refused:
        confirm_deletion(acme.id, request.id, by=by)
    assert rows("SELECT count(*) FROM organization_tombstones") == [(0,)]
    assert len(_left(acme)) > 10
    return str(refused.value)


def test_whoever_asked_does_not_confirm(acme: Tenant) -> None:
    request = request_deletion(acme.id, by=acme.owner)

    assert "confirmed by another owner than ann@acme.example" in _confirm(acme, request, acme.owner)


def test_both_are_owners_when_it_is_carried_out(acme: Tenant) -> None:
    request = request_deletion(acme.id, by=acme.owner)

    with psycopg.connect(os.environ["MAOS_DATABASE_URL"], autocommit=True) as connection:
        # As somebody would who has stolen more than a login: without a trace in the chain.
        connection.execute("ALTER TABLE user_organizations DISABLE ROW LEVEL SECURITY")
        connection.execute("UPDATE user_organizations SET role = 'author' WHERE user_id = %s", [acme.user])
    refused = _confirm(acme, request, acme.second_owner)

    assert "as it was exported" in refused or "two who are owners now" in refused


def test_an_organisation_that_has_changed_since_it_was_exported_is_not_deleted(acme: Tenant) -> None:
    request = request_deletion(acme.id, by=acme.owner)
    add_person("new@acme.example", "New", Role.AUDITOR, org_id=acme.id, by=acme.owner)

    assert "an organisation that is as it was exported" in _confirm(acme, request, acme.second_owner)


def test_a_file_that_has_changed_since_is_a_change(acme: Tenant) -> None:
    request = request_deletion(acme.id, by=acme.owner)
    (load_settings().artifact_store / "acme" / str(acme.run) / "report.html").write_text("<p>other</p>")

    assert "as it was exported" in _confirm(acme, request, acme.second_owner)


@pytest.mark.parametrize("damage", ["orchestrator_runs.jsonl", "manifest.json"])
def test_without_its_export_nothing_is_deleted(acme: Tenant, damage: str) -> None:
    request = request_deletion(acme.id, by=acme.owner)
    (request.folder / damage).write_text("{}\n")

    assert "a request whose export is in" in _confirm(acme, request, acme.second_owner)


def test_a_request_is_good_for_72_hours(acme: Tenant, database: str) -> None:
    request = request_deletion(acme.id, by=acme.owner)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE organization_deletions SET requested_at = now() - interval '72 hours 1 second'")

    assert "a request not older than 72 hours" in _confirm(acme, request, acme.second_owner)


def test_open_runs_keep_their_organisation(acme: Tenant) -> None:
    request = request_deletion(acme.id, by=acme.owner)
    add_run(acme.id)

    assert "an organisation without open runs; this one has 1" in _confirm(acme, request, acme.second_owner)
    with pytest.raises(BadInput, match="without open runs"):
        request_deletion(acme.id, by=acme.owner)


def test_a_client_login_is_dropped_first(acme: Tenant) -> None:
    make_login(acme.id)
    try:
        with pytest.raises(BadInput, match="maos org client-login SLUG --drop"):
            request_deletion(acme.id, by=acme.owner)
    finally:
        drop_login(acme.id)


def test_a_request_of_another_organisation_confirms_nothing(acme: Tenant) -> None:
    other = fill("other")
    request = request_deletion(other.id, by=other.owner)

    assert "a request for the deletion of acme" in _confirm(acme, request, acme.second_owner)


def test_a_suspended_organisation_can_be_deleted_and_its_slug_is_not_given_again(acme: Tenant) -> None:
    suspend(acme.id, "the contract has ended", by=OPERATOR)
    request = request_deletion(acme.id, by=acme.owner)
    confirm_deletion(acme.id, request.id, by=acme.second_owner)

    with pytest.raises(BadInput, match="this one was deleted"):
        create_organization("acme", "Acme", owner=acme.owner, owner_name="Ann")


def test_an_owner_who_is_none_any_more_confirms_nothing(acme: Tenant) -> None:
    request = request_deletion(acme.id, by=acme.owner)
    revoke(acme.second_owner, Role.OWNER, org_id=acme.id, by=acme.owner)

    assert "a member with role owner" in _confirm(acme, request, acme.second_owner)


def test_nobody_asks_in_the_name_of_another(acme: Tenant) -> None:
    forged = text(
        "INSERT INTO organization_deletions (id, org_id, requested_by, export_folder, export_digest) "
        "VALUES (:id, :org, :owner, '/x', repeat('0', 64))"
    )
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        system_session(actor=acme.second_owner) as session,
    ):
        session.execute(forged, {"id": uuid4(), "org": acme.id, "owner": acme.owner})


def test_the_function_is_the_only_way_and_asks_again_itself(acme: Tenant) -> None:
    call = text("SELECT delete_organization(:org, :request, repeat('0', 64))")
    values = {"org": acme.id, "request": acme.deletion}
    with pytest.raises(DBAPIError, match="permission denied"), org_session(acme.id, actor=acme.second_owner) as session:
        session.execute(call, values)
    with pytest.raises(DBAPIError, match="confirmed by another owner"), system_session(actor=acme.owner) as session:
        session.execute(call, values)
    with pytest.raises(DBAPIError, match="two who are owners now"), system_session(actor=OPERATOR) as session:
        session.execute(call, values)
    for statement in (
        "DELETE FROM orchestrator_runs",
        "DELETE FROM organizations",
        "DELETE FROM organization_tombstones",
    ):
        with pytest.raises(DBAPIError, match="permission denied"), system_session(actor=acme.owner) as session:
            session.execute(text(statement))
