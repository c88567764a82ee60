"""`maos runs`: list and show runs; hold, release, cancel and retry them."""

from datetime import datetime
from typing import Any
from uuid import UUID

import click

from console.attempts import COLUMNS, attempt_row
from console.ids import run_id_of
from console.lazy_group import LazyGroup
from console.organisations import org_id_of
from console.output import console, print_json, print_rows, table_of
from console.times import DATE, utc
from maos.statuses import RunStatus
from sql.approvals import approvals_of_run
from sql.effects import effects_of_run
from sql.invocations import list_invocations
from sql.plan_revisions import revisions_of_run
from sql.runs import RunFilter, list_runs, run_row
from sql.session import session_for, system_session
from tasks.pages import run_page

_LIST = ("id", "org", "entrypoint", "title", "status", "started_at", "completed_at")
_FACTS = (
    "id",
    "title",
    "entrypoint",
    "initiator_id",
    "status",
    "held_by",
    "autonomy",
    "rehearsal",
    "attempt",
    "recoveries",
    "parent_run_id",
    "error_summary",
)
_EFFECTS = ("step_id", "kind", "status", "idempotency_key", "intentions", "confirmed_by", "settled_at")
_REVISIONS = ("revision", "plan_digest", "reason", "recorded_at")
_APPROVALS = ("id", "step_id", "kind", "risk", "status", "decided_by", "decided_at", "note")


_ELSEWHERE = {name: f"console.run_control:{name}" for name in ("hold", "release", "cancel", "retry")}


@click.group(cls=LazyGroup, places=_ELSEWHERE)
def runs() -> None:
    """List and show runs; hold, release, cancel and retry them."""


@runs.command("list")
@click.option("--org", help="Only this organisation's.")
@click.option("--status", type=click.Choice([status.value for status in RunStatus]), help="Only in this status.")
@click.option("--entrypoint", help="Only of this entrypoint.")
@click.option("--since", type=DATE, metavar="DATE", help="Started then or later, in UTC.")
@click.option("--until", type=DATE, metavar="DATE", help="Started before, in UTC.")
@click.option("--before", metavar="ID", help="The page after this run: the last one of the page before.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000), help="At most this many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(
    org: str | None,
    status: str | None,
    entrypoint: str | None,
    since: datetime | None,
    until: datetime | None,
    before: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List runs, newest first.

    \b
    Examples:
      maos runs list --org demo
      maos runs list --status paused --json
      maos runs list --org demo --before 3f2a
    """
    which = RunFilter(
        status=RunStatus(status) if status else None,
        entrypoint=entrypoint,
        since=utc(since),
        until=utc(until),
        before=_place(before) if before else None,
        limit=limit,
    )
    with session_for(org_id_of(org)) as session:
        rows = [{"org": slug, **row.model_dump()} for row, slug in list_runs(which, session=session)]
    print_rows(rows, as_json=as_json, columns=_LIST, title="runs")
    if len(rows) == limit and not as_json:
        click.echo(f"older ones: --before {rows[-1]['id']}")


def _place(text: str) -> tuple[datetime, UUID]:
    run_id = run_id_of(text)
    with system_session() as session:
        row = run_row(run_id, session=session)
    return row.started_at, row.id


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
        effects = [effect.model_dump() for effect in effects_of_run(found, session=session)]
        revisions = [revision.model_dump() for revision in revisions_of_run(found, session=session)]
    if as_json:
        parts = {"approvals": asked, "effects": effects, "plan_revisions": revisions}
        print_json(row | {"invocations": [attempt.model_dump() for attempt in attempts], **parts})
        return
    console().print(table_of([{"": name, " ": row[name]} for name in _FACTS], columns=("", " ")))
    console().print(table_of([attempt_row(attempt) for attempt in attempts], columns=COLUMNS, title="attempts"))
    print_rows(asked, as_json=False, columns=_APPROVALS, title="approvals")
    print_rows(effects, as_json=False, columns=_EFFECTS, title="effects")
    if len(revisions) > 1:
        print_rows(revisions, as_json=False, columns=_REVISIONS, title="plan revisions")
    click.echo(f"Prefect: {run_page(found)}")
