"""Months of the audit log leave it when nobody keeps them, and what is left still holds."""

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import duckdb
import psycopg
import pytest
from click.testing import CliRunner

from console.audit import audit as audit_command
from console.retention import retention as command
from maos.audit import AuditEvent, ChainBroken
from maos.errors import BadInput
from maos.settings import load_settings
from sql import audit
from sql.audit import append_audit, verify_chain
from sql.organizations import ensure_organization
from sql.session import org_session, system_session
from tasks import retention
from tasks.audit_anchors import chain_of
from tasks.audit_partitions import make_partitions
from tasks.retention import apply_retention

OWNER = "owner@demo.example"


def _append(org_id: UUID, count: int) -> None:
    for number in range(count):
        event = AuditEvent(event="rules.stored", actor=OWNER, run_id=None, summary=f"größer {number}", success=False)
        with org_session(org_id) as session:
            append_audit(event, org_id=org_id, session=session)


def _at(monkeypatch: pytest.MonkeyPatch, year: int, month: int) -> None:
    monkeypatch.setattr(audit, "utc_now", lambda: datetime(year, month, 15, 12, tzinfo=UTC))


def _maos(*arguments: str) -> str:
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def _keep(org: str, months: str) -> None:
    with system_session() as session:
        from sql.organizations import ensure_member

        org_id = ensure_organization(org, org, session=session)
        ensure_member(OWNER, "Owner", "owner", org_id=org_id, session=session)
    _maos("set", "--org", org, "--months", months, "--as", OWNER, "--reason", "by contract")


def _partitions(database: str) -> list[str]:
    with psycopg.connect(database) as connection:
        found = connection.execute(
            "SELECT relname FROM pg_class WHERE relname ~ '^agent_action_audit_log_202[0-5]_[0-9]+$' AND relkind = 'r' "
            "ORDER BY 1"
        )
        return [name.removeprefix("agent_action_audit_log_") for (name,) in found]


def _verified(org: str, org_id: UUID) -> object:
    with system_session() as session:
        known = [each.known for each in chain_of(org, org_id).anchors]
        return verify_chain(org_id, known=known, session=session)[1]


@pytest.fixture
def other(org_id: UUID, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """Another organisation; both have rows in two months of 2024, the first also has rows of now."""
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)
    with monkeypatch.context() as patched:
        for month in (3, 4):
            _at(patched, 2024, month)
            _append(org_id, 3)
            _append(other, 2)
    make_partitions()
    return other


def test_what_nobody_keeps_is_archived_and_removed_and_the_rest_still_holds(
    database: str, org_id: UUID, other: UUID
) -> None:
    _keep("demo", "12")
    _keep("other", "12")
    assert _partitions(database) == ["2024_03", "2024_04"]
    assert apply_retention(rehearse=True) == ["2024-03 would be removed", "2024-04 would be removed"]

    assert apply_retention() == [
        "2024-03 removed: 5 rows in 2 files",
        "2024-04 removed: 5 rows in 2 files",
    ]

    assert _partitions(database) == []
    assert [_verified("demo", org_id), _verified("other", other)] == [None, None]
    verified = CliRunner().invoke(audit_command, ["verify", "--org", "demo"]).output
    # Three and three, then what was set, then what was archived twice.
    assert verified.startswith("demo: 9 rows, of which the first 6 are archived, the chain holds, as 2 anchors say; ")
    assert "rows 1 to 3 hold" in _maos("verify", "--org", "demo")
    assert apply_retention() == []


def test_an_archive_holds_every_column_and_its_checksum(database: str, org_id: UUID, other: UUID) -> None:
    assert other
    with psycopg.connect(database) as connection:
        hashes = connection.execute(
            "SELECT sequence, summary, row_hash FROM agent_action_audit_log WHERE org_id = %s ORDER BY 1", (org_id,)
        ).fetchall()
    _keep("demo", "12")
    _keep("other", "12")
    apply_retention()

    folder = load_settings().artifact_store / "demo" / "audit-archives"
    names = sorted(path.name for path in folder.iterdir())
    file = folder / "2024-03-rows-1-3.parquet"
    assert names[:2] == [file.name, f"{file.name}.sha256"]
    assert len(names) == 4
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert (folder / f"{file.name}.sha256").read_text() == f"{sha256}  {file.name}\n"
    assert json.loads(_maos("show", "--org", "demo", "--json"))[0]["archives"][0]["sha256"] == sha256
    found = duckdb.sql(f"SELECT sequence, summary, row_hash FROM '{file}' ORDER BY sequence").fetchall()
    assert found == hashes[:3]


@pytest.mark.usefixtures("other")
def test_the_longest_retention_of_a_month_keeps_it_for_all(database: str) -> None:
    _keep("demo", "1")
    assert apply_retention() == ["2024-03 and later are kept: other: no retention is set"]
    _keep("other", "1200")
    assert apply_retention() == ["2024-03 and later are kept: other: its retention is 1200 months"]

    assert _partitions(database) == ["2024_03", "2024_04"]


@pytest.mark.usefixtures("other")
def test_a_legal_hold_keeps_a_month_until_it_is_released(database: str) -> None:
    _keep("demo", "12")
    _keep("other", "12")
    hold = _maos("hold", "--org", "other", "--as", OWNER, "--reason", "case 4711").split()[2]
    assert apply_retention() == [f"2024-03 and later are kept: other: a legal hold since {datetime.now(UTC):%Y-%m-%d}"]
    with pytest.raises(BadInput):
        _maos("release", hold, "--org", "demo", "--as", OWNER, "--reason", "it is not mine")
    assert len(_partitions(database)) == 2

    _maos("release", hold, "--org", "other", "--as", OWNER, "--reason", "closed")

    assert len(apply_retention()) == 2
    events = json.loads(CliRunner().invoke(audit_command, ["list", "--org", "other", "--json"]).output)
    assert [row["event"] for row in events] == [
        "audit.archived",
        "audit.archived",
        "hold.released",
        "hold.placed",
        "retention.set",
    ]


@pytest.mark.usefixtures("other")
def test_the_database_itself_refuses_what_is_kept(database: str) -> None:
    with psycopg.connect(f"{database}?options=-crole%3Dmaos_system", autocommit=True) as connection:
        for statement, reason in (
            ("SELECT detach_audit_partition('2024-03-01')", "is kept"),
            ("SELECT drop_audit_partition('2024-03-01')", "is in the log"),
            (f"SELECT detach_audit_partition('{date.today():%Y-%m-01}')", "has not ended"),
            ("DROP TABLE agent_action_audit_log_2024_03", "must be owner"),
            ("DELETE FROM agent_action_audit_log", "permission denied"),
        ):
            with pytest.raises(psycopg.Error, match=reason):
                connection.execute(statement.encode())


@pytest.mark.parametrize("killed_in", ["_detach", "write_archive", "append_audit", "checksum_of"])
def test_a_removal_that_was_cut_short_is_finished_by_the_next(
    database: str, org_id: UUID, other: UUID, monkeypatch: pytest.MonkeyPatch, killed_in: str
) -> None:
    _keep("demo", "12")
    _keep("other", "12")

    def die(*_arguments: object, **_named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(retention, killed_in, die)
        with pytest.raises(KeyboardInterrupt):
            apply_retention()
    assert [_verified("demo", org_id), _verified("other", other)] == [None, None]

    done = apply_retention()

    assert [each.split()[0] for each in done] == ["2024-03", "2024-04"]
    assert _partitions(database) == []
    assert [_verified("demo", org_id), _verified("other", other)] == [None, None]
    events = json.loads(CliRunner().invoke(audit_command, ["list", "--org", "demo", "--json"]).output)
    assert [row["event"] for row in events].count("audit.archived") == 2


@pytest.mark.usefixtures("other")
def test_nothing_is_removed_whose_file_is_not_as_it_was_written(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _keep("demo", "12")
    _keep("other", "12")
    write = retention.write_archive

    def damage(*arguments: object) -> tuple[Path, str]:
        file, sha256 = write(*arguments)  # type: ignore[arg-type]  # as it was called
        file.write_bytes(file.read_bytes()[:-1])
        return file, sha256

    with monkeypatch.context() as patched:
        patched.setattr(retention, "write_archive", damage)
        with pytest.raises(ChainBroken, match="not as it was written"):
            apply_retention()

    assert _partitions(database) == ["2024_03", "2024_04"]


def test_a_log_that_begins_where_no_anchor_says_so_does_not_hold(database: str, org_id: UUID, other: UUID) -> None:
    assert other
    _keep("demo", "12")
    _keep("other", "12")
    apply_retention()
    with psycopg.connect(database) as connection:
        # What somebody would do who removes one more row, and owns the server.
        connection.execute(
            "UPDATE audit_archives SET last_sequence = 7, last_hash = (SELECT row_hash FROM agent_action_audit_log "
            "WHERE org_id = %(org)s AND sequence = 7) WHERE org_id = %(org)s AND last_sequence = 6",
            {"org": org_id},
        )
        connection.execute("DELETE FROM agent_action_audit_log WHERE org_id = %s AND sequence = 7", (org_id,))

    assert "no anchor knows" in str(_verified("demo", org_id))


def test_a_clock_that_goes_back_a_little_leaves_rows_in_order(
    database: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    midnight = datetime(2026, 12, 1, tzinfo=UTC)
    for moment in (midnight, midnight - timedelta(seconds=2), midnight - timedelta(days=9)):
        monkeypatch.setattr(audit, "utc_now", lambda moment=moment: moment)
        _append(org_id, 1)

    with psycopg.connect(database) as connection:
        times = [at for (at,) in connection.execute("SELECT recorded_at FROM agent_action_audit_log ORDER BY sequence")]
    assert times == [midnight, midnight, midnight - timedelta(days=9)]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["--months", "0", "--as", OWNER, "--reason", "x"], "--months"),
        (["--months", "some", "--as", OWNER, "--reason", "x"], "--months"),
        (["--months", "12", "--as", "reviewer@demo.example", "--reason", "x"], "--as"),
        (["--months", "12", "--as", OWNER, "--reason", " "], "--reason"),
    ],
)
def test_what_nobody_may_set_is_refused(org_id: UUID, arguments: list[str], field: str) -> None:
    assert org_id
    done = CliRunner().invoke(command, ["set", "--org", "demo", *arguments])

    assert isinstance(done.exception, BadInput)
    assert done.exception.field == field
