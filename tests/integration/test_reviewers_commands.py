"""`maos reviewers` as a person calls it."""

import json
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet
from pyotp import HOTP

from console.main import cli
from console.reviewers import reviewers
from maos.errors import BadInput, IdentityRefused, StackError
from maos.one_time_codes import time_step
from sql.organizations import ensure_member, ensure_organization
from sql.session import system_session
from sql.tables import utc_now
from tasks import enrolments
from tasks.reviewers import identify
from tests.gates import rows

REVIEWER, OWNER = "reviewer@demo.example", "owner@demo.example"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture(autouse=True)
def noon(org_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    """The time stands still, and every secret is the same."""
    now = utc_now()
    for module in ("tasks.enrolments", "tasks.reviewers"):
        monkeypatch.setattr(f"{module}.utc_now", lambda: now)
    monkeypatch.setattr(enrolments, "random_base32", lambda: SECRET)


def _code(offset: int = 0) -> str:
    # As the commands read the time.
    return HOTP(SECRET).at(time_step(enrolments.utc_now()) + offset)


def _wrong() -> str:
    right = {_code(offset) for offset in (-1, 0, 1)}
    return next(code for code in ("000000", "111111", "222222", "333333") if code not in right)


def _call(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(reviewers, arguments, input=typed)


def _said(*arguments: str, typed: str = "") -> str:
    done = _call(*arguments, typed=typed)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


def _enroll(*options: str, typed: str = "") -> Result:
    return _call("enroll", REVIEWER, "--as", OWNER, *options, typed=typed)


def _enrolled() -> int:
    ((count,),) = rows("SELECT count(*) FROM reviewer_codes WHERE revoked_at IS NULL")
    return int(count)


def test_a_person_scans_types_a_code_and_is_enrolled(org_id: UUID) -> None:
    said = _said("enroll", REVIEWER, "--as", OWNER, typed=f"{_code()[:3]} {_code()[3:]}\n")

    assert "█" in said
    assert "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP" in said
    assert f"{REVIEWER} is enrolled" in said
    assert identify(REVIEWER, _code(+1), org_id=org_id).verified


def test_a_wrong_first_code_may_be_typed_again() -> None:
    said = _said("enroll", REVIEWER, "--as", OWNER, typed=f"{_wrong()}\n12\n{_code()}\n")

    assert said.count("this is not the code of the moment") == 2
    assert _enrolled() == 1


def test_three_wrong_first_codes_enrol_nobody() -> None:
    done = _enroll(typed=f"{_wrong()}\n" * 3)

    assert isinstance(done.exception, IdentityRefused)
    assert "is enrolled" not in done.output
    assert _enrolled() == 0


def test_whoever_goes_away_before_the_first_code_is_not_enrolled() -> None:
    assert _enroll(typed="").exit_code == 1
    assert _enrolled() == 0


def test_without_confirming_nothing_is_asked(org_id: UUID) -> None:
    assert _enroll("--no-confirm").exit_code == 0
    assert identify(REVIEWER, _code(), org_id=org_id).verified


def test_who_has_codes_gets_new_ones_only_on_purpose() -> None:
    _enroll("--no-confirm")

    again = _enroll("--no-confirm")
    assert isinstance(again.exception, BadInput)
    assert "--replace" in str(again.exception)
    assert SECRET[:4] not in again.output
    assert _enroll("--no-confirm", "--replace").exit_code == 0
    assert rows("SELECT count(*) FROM reviewer_codes") == [(2,)]


def test_nobody_but_an_owner_is_shown_a_secret() -> None:
    done = _call("enroll", REVIEWER, "--as", REVIEWER, "--no-confirm")

    assert isinstance(done.exception, BadInput)
    assert done.exception.field == "--as"
    assert SECRET[:4] not in done.output


def test_the_picture_is_written_for_its_owner_alone_and_over_nothing(tmp_path: Path) -> None:
    file = tmp_path / "code.png"
    _said("enroll", REVIEWER, "--as", OWNER, "--no-confirm", "--png", str(file))

    assert file.read_bytes().startswith(b"\x89PNG")
    assert file.stat().st_mode & 0o777 == 0o600
    for taken in (file, tmp_path / "nowhere" / "code.png"):
        again = _enroll("--no-confirm", "--replace", "--png", str(taken))
        assert isinstance(again.exception, BadInput)
        assert again.exception.field == "--png"
        assert again.output == ""


def test_the_list_shows_who_decides_who_is_enrolled_and_who_is_locked(org_id: UUID) -> None:
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)
        ensure_member(REVIEWER, "Reviewer", "auditor", org_id=other, session=session)
        ensure_member(REVIEWER, "Reviewer", "operator", org_id=other, session=session)
    _enroll(typed=f"{_code()}\n")
    for _ in range(5):
        with pytest.raises(IdentityRefused):
            identify(REVIEWER, _wrong(), org_id=org_id)

    found = json.loads(_said("list", "--json"))

    assert [(row["org"], row["email"], row["roles"], row["enrolled_at"] is not None) for row in found] == [
        ("demo", OWNER, "owner", False),
        ("demo", REVIEWER, "reviewer", True),
        ("other", REVIEWER, "auditor, operator", True),
    ]
    assert (found[1]["enrolled_by"], found[1]["wrong_codes"]) == (OWNER, 5)
    assert found[1]["locked_until"] > found[1]["last_wrong_at"]
    assert found[1]["last_used_at"]
    assert [row["org"] for row in json.loads(_said("list", "--org", "other", "--json"))] == ["other"]
    assert "sealed" not in json.dumps(found)
    assert REVIEWER in _said("list", "--org", "demo")


def test_codes_are_revoked(org_id: UUID) -> None:
    _enroll("--no-confirm")

    assert "revoked" in _said("revoke", REVIEWER.upper(), "--as", OWNER)
    assert not identify(REVIEWER, None, org_id=org_id).enrolled
    assert [event for (event,) in rows("SELECT event FROM agent_action_audit_log ORDER BY sequence")] == [
        "reviewer.enrolled",
        "reviewer.revoked",
    ]


def test_after_rekeying_the_old_key_can_be_given_up(org_id: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    monkeypatch.setenv("MAOS_ENCRYPTION_KEY", old)
    _enroll("--no-confirm")
    monkeypatch.setenv("MAOS_ENCRYPTION_KEY", new)
    assert isinstance(_call("rekey").exception, StackError)

    monkeypatch.setenv("MAOS_ENCRYPTION_KEY", f"{new},{old}")
    assert "first key: 1" in _said("rekey")
    monkeypatch.setenv("MAOS_ENCRYPTION_KEY", new)
    assert identify(REVIEWER, _code(), org_id=org_id).verified


def test_the_commands_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.main.point_prefect_at_server", lambda: None)
    monkeypatch.setattr("console.main.guard", lambda: None)

    said = CliRunner().invoke(cli, ["reviewers", "--help"]).output

    assert [name for name in ("enroll", "list", "rekey", "revoke") if name not in said] == []
