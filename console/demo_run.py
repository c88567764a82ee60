"""The example report: started, followed, decided and shown."""

import time
from pathlib import Path
from uuid import UUID

import click

from console.attempts import COLUMNS, attempt_row
from console.decisions import decide_and_resume
from console.follow import Sight, follow, look
from console.output import console, print_rows, table_of
from console.prefect_api import start_run
from console.run import checked_request, read_request
from maos.actions import JsonObject
from maos.approvals import Decision, DecisionPath
from maos.decisions import DecisionRequest
from maos.runs import Run
from maos.settings import load_settings
from maos.statuses import RunStatus
from sql.audit_rows import audit_of_run
from sql.runs import run_row
from sql.session import system_session
from tasks.entrypoints import ENTRYPOINTS
from tasks.pages import run_page

_REVIEWER = "reviewer@demo.example"
_ENTRYPOINT = "generate_report"
_REQUEST = Path(__file__).parent.parent / "examples" / _ENTRYPOINT / "request.json"
_AUDIT = ("sequence", "event", "actor", "step_id", "risk", "success", "summary")
_LOOK_EVERY_SECONDS = 0.5


def run_example(*, decide: bool) -> bool:
    """Run the example to its end; return whether its report exists and its row says completed.

    Args:
        decide: approve as the demo reviewer; otherwise wait until somebody decides.
    """
    entrypoint = ENTRYPOINTS[_ENTRYPOINT]
    request = checked_request(_ENTRYPOINT, read_request(entrypoint, _REQUEST))
    run_id = start_run(entrypoint.deployment, request)
    click.echo(f"\nRun {run_id}: {request.title}\n{run_page(run_id)}\n")
    sight = follow(run_id)
    while sight.pending:
        _say_how_to_decide(run_id, sight)
        if decide:
            _approve(sight)
        else:
            _wait_for_a_decision(sight)
        sight = follow(run_id)
    return sight.run is not None and _show_end(sight.run, sight)


def _say_how_to_decide(run_id: UUID, sight: Sight) -> None:
    for approval in sight.pending:
        click.echo(f"\n{approval.title} It waits for a person: no process is held meanwhile.")
        click.echo(f"  in the Prefect UI, button Resume: {run_page(run_id)}")
        click.echo(f"  on the command line: maos approvals approve {str(approval.id)[:8]} --as {_REVIEWER}\n")


def _approve(sight: Sight) -> None:
    for approval in sight.pending:
        request = DecisionRequest(
            decision=Decision.APPROVE, reviewer=_REVIEWER, note="approved by the demo", via=DecisionPath.COMMAND_LINE
        )
        decide_and_resume(approval.id, request)
        click.echo(f"Approved as {_REVIEWER}.\n")


def _wait_for_a_decision(sight: Sight) -> None:
    asked = {approval.id for approval in sight.pending}
    while sight.run and asked <= {approval.id for approval in sight.pending}:
        time.sleep(_LOOK_EVERY_SECONDS)
        sight = look(sight.run.id)


def report_of(run: Run, result: JsonObject) -> Path:
    """Return where the published report of a completed run lies."""
    page: str = result["publish_report"]["page"]["name"]
    return load_settings().artifact_store / run.org / str(run.id) / page


def _show_end(run: Run, sight: Sight) -> bool:
    console().print(table_of([attempt_row(row) for row in sight.attempts], columns=COLUMNS, title="invocations"))
    with system_session() as session:
        trail = [row.model_dump() for row in audit_of_run(run.id, session=session)]
        row = run_row(run.id, session=session)
    print_rows(trail, as_json=False, columns=_AUDIT, title="audit trail")
    if row.status != RunStatus.COMPLETED:
        click.echo(f"The run is {row.status}: {row.error_summary}", err=True)
        return False
    report = report_of(run, row.result or {})
    click.echo(f"\nReport: {report}")
    click.echo("The stack keeps running: `maos status` shows it, `maos down` stops it.")
    return report.is_file()
