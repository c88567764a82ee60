"""`maos invocations`: list attempts at steps across runs."""

from datetime import datetime
from uuid import UUID

import click

from console.ids import invocation_id_of, run_id_of
from console.organisations import org_id_of
from console.output import print_rows
from console.times import DATE, utc
from maos.engines import EngineType
from maos.statuses import InvocationStatus
from sql.invocation_list import InvocationFilter, page_of_invocations
from sql.invocations import find_invocation
from sql.session import session_for, system_session

_LIST = ("id", "org", "run_id", "step_id", "attempt", "engine", "action", "status", "cost_usd", "started_at")


@click.group()
def invocations() -> None:
    """List attempts at steps across runs."""


@invocations.command("list")
@click.option("--org", help="Only this organisation's.")
@click.option("--run", help="Only this run's; the id may be shortened.")
@click.option("--status", type=click.Choice([status.value for status in InvocationStatus]), help="Only in this status.")
@click.option("--engine", type=click.Choice([engine.value for engine in EngineType]), help="Only of this engine.")
@click.option("--action", help="Only of this action.")
@click.option("--since", type=DATE, metavar="DATE", help="Begun then or later, in UTC.")
@click.option("--until", type=DATE, metavar="DATE", help="Begun before, in UTC.")
@click.option("--before", metavar="ID", help="The page after this one: the last one of the page before.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="At most this many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(
    org: str | None,
    run: str | None,
    status: str | None,
    engine: str | None,
    action: str | None,
    since: datetime | None,
    until: datetime | None,
    before: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List invocations, newest first; outputs are shown by `maos runs show`.

    \b
    Examples:
      maos invocations list --org demo --status failed
      maos invocations list --engine claude_cli --since 2026-11-01 --json
    """
    which = InvocationFilter(
        run_id=run_id_of(run) if run else None,
        status=InvocationStatus(status) if status else None,
        engine_type=EngineType(engine) if engine else None,
        action=action,
        since=utc(since),
        until=utc(until),
        before=_place(before) if before else None,
        limit=limit,
    )
    with session_for(org_id_of(org)) as session:
        found = page_of_invocations(which, session=session)
        rows = [{"org": slug, "engine": row.engine_type, **row.model_dump(exclude={"output"})} for row, slug in found]
    print_rows(rows, as_json=as_json, columns=_LIST, title="invocations")
    if len(rows) == limit and not as_json:
        click.echo(f"older ones: --before {found[-1][0].id}")


def _place(text: str) -> tuple[datetime, UUID] | None:
    invocation_id = invocation_id_of(text)
    with system_session() as session:
        row = find_invocation(invocation_id, session=session)
    return (row.started_at, row.id) if row else None
