"""`maos runs`: list and show runs."""

from typing import Any

import click

from console.follow import COLUMNS, attempt_row
from console.ids import run_id_of
from console.organisations import org_id_of
from console.output import console, print_json, print_rows, table_of
from console.prefect_api import run_page
from maos.statuses import RunStatus
from sql.approvals import approvals_of_run
from sql.invocations import list_invocations
from sql.runs import RunFilter, list_runs, run_row
from sql.session import system_session

_LIST = ("id", "org", "entrypoint", "title", "status", "started_at", "completed_at")
_FACTS = ("id", "title", "entrypoint", "initiator_id", "status", "autonomy", "rehearsal", "attempt", "error_summary")
_APPROVALS = ("id", "step_id", "risk", "status", "decided_by", "decided_at", "note")


@click.group()
def runs() -> None:
    """List and show runs."""


@runs.command("list")
@click.option("--org", help="Only this organisation's.")
@click.option("--status", type=click.Choice([status.value for status in RunStatus]), help="Only in this status.")
@click.option("--entrypoint", help="Only of this entrypoint.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="At most this many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(org: str | None, status: str | None, entrypoint: str | None, limit: int, as_json: bool) -> None:
    """List runs, newest first.

    \b
    Examples:
      maos runs list --org demo
      maos runs list --status paused --json
    """
    which = RunFilter(
        org_id=org_id_of(org), status=RunStatus(status) if status else None, entrypoint=entrypoint, limit=limit
    )
    with system_session() as session:
        rows = [{"org": slug, **row.model_dump()} for row, slug in list_runs(which, session=session)]
    print_rows(rows, as_json=as_json, columns=_LIST, title="runs")


@runs.command()
@click.argument("run_id")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(run_id: str, as_json: bool) -> None:
    """Show a run with its attempts and approvals; the id may be shortened.

    \b
    Example:
      maos runs show 3f2a
    """
    found = run_id_of(run_id)
    with system_session() as session:
        row: dict[str, Any] = run_row(found, session=session).model_dump()
        attempts = list_invocations(found, session=session)
        asked = [approval.model_dump() for approval in approvals_of_run(found, session=session)]
    if as_json:
        print_json(row | {"invocations": [attempt.model_dump() for attempt in attempts], "approvals": asked})
        return
    console().print(table_of([{"": name, " ": row[name]} for name in _FACTS], columns=("", " ")))
    console().print(table_of([attempt_row(attempt) for attempt in attempts], columns=COLUMNS, title="attempts"))
    print_rows(asked, as_json=False, columns=_APPROVALS, title="approvals")
    click.echo(f"Prefect: {run_page(found)}")
