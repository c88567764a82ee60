"""Runs and invocations are listed page by page, by the last row of the page before."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import click
import pytest
from click.testing import CliRunner

from console.invocations import invocations
from console.runs import runs
from maos.errors import BadInput
from sql.organizations import ensure_organization
from sql.session import org_session, system_session
from tests.rows import add_run, invocation

_NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _listed(command: click.Group, *arguments: str) -> list[str]:
    done = CliRunner().invoke(command, ["list", *arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return [row["id"] for row in json.loads(done.output)]


@pytest.fixture
def run_ids(org_id: UUID) -> list[UUID]:
    """Seven runs, the newest first; three of them began at the same moment, one is of another organisation."""
    with system_session() as session:
        other = ensure_organization("other", "Other", session=session)
    at = [_NOON, *[_NOON - timedelta(days=1)] * 3, _NOON - timedelta(days=2), _NOON - timedelta(days=3)]
    made = [(each, add_run(org_id, started_at=each)) for each in at]
    made.append((_NOON - timedelta(days=4), add_run(other, started_at=_NOON - timedelta(days=4))))
    return [run_id for _, run_id in sorted(made, reverse=True)]


def test_pages_of_runs_neither_repeat_nor_miss_one(org_id: UUID, run_ids: list[UUID]) -> None:
    expected = [str(run_id) for run_id in run_ids]
    first = CliRunner().invoke(runs, ["list", "--limit", "2"], catch_exceptions=False)
    pages = [_listed(runs, "--limit", "2")]
    while len(pages[-1]) == 2:
        # A newer one in between moves no page.
        add_run(org_id, started_at=datetime.now(UTC))
        pages.append(_listed(runs, "--limit", "2", "--before", pages[-1][-1]))

    assert first.output.splitlines()[-1] == f"older ones: --before {run_ids[1]}"
    assert [run_id for page in pages for run_id in page] == expected


def test_runs_are_found_by_organisation_status_entrypoint_and_time(org_id: UUID, run_ids: list[UUID]) -> None:
    ended = add_run(org_id, status="failed", completed_at=_NOON, started_at=_NOON, entrypoint="create_image")
    expected = [str(run_id) for run_id in run_ids]

    assert _listed(runs, "--org", "other") == expected[6:]
    assert _listed(runs, "--status", "failed") == [str(ended)]
    assert _listed(runs, "--entrypoint", "create_image") == [str(ended)]
    assert _listed(runs, "--until", "2026-11-18", "--since", "2026-11-17") == [expected[5]]


def test_pages_of_invocations_neither_repeat_nor_miss_one(org_id: UUID, run_ids: list[UUID]) -> None:
    assert run_ids
    run_id, made = add_run(org_id), []
    for number in range(5):
        row = invocation(org_id, run_id, "0", step=f"step-{number}")
        row.started_at = _NOON if number < 3 else _NOON + timedelta(minutes=number)
        with org_session(org_id) as session:
            session.add(row)
        made.append((row.started_at, row.id))
    expected = [str(each) for _, each in sorted(made, reverse=True)]

    pages = [_listed(invocations, "--limit", "2")]
    while len(pages[-1]) == 2:
        pages.append(_listed(invocations, "--limit", "2", "--before", pages[-1][-1][:13]))

    assert [each for page in pages for each in page] == expected


def test_invocations_are_found_by_what_they_are(org_id: UUID) -> None:
    run_id = add_run(org_id)
    one, other = invocation(org_id, run_id, "0", step="one"), invocation(org_id, add_run(org_id), "0", step="other")
    other.action, other.engine_type, other.status, other.started_at = "send", "internal_service", "skipped", _NOON
    with org_session(org_id) as session:
        session.add_all([one, other])

    assert _listed(invocations, "--run", str(run_id)[:8]) == [str(one.id)]
    assert _listed(invocations, "--status", "skipped") == [str(other.id)]
    assert _listed(invocations, "--engine", "internal_service") == [str(other.id)]
    assert _listed(invocations, "--action", "send") == [str(other.id)]
    assert _listed(invocations, "--until", "2026-11-21") == [str(other.id)]
    assert _listed(invocations, "--org", "demo", "--since", "2026-11-21") == [str(one.id)]


def test_a_page_that_begins_nowhere_is_refused(org_id: UUID) -> None:
    assert org_id
    for command in (runs, invocations):
        done = CliRunner().invoke(command, ["list", "--before", "ffff0000"])
        assert isinstance(done.exception, BadInput)
