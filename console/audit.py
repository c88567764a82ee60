"""`maos audit`: list and verify the audit log."""

import sys

import click

from console.ids import run_id_of
from console.organisations import org_id_of
from console.output import print_json, print_rows
from sql.audit import audit_of_run, list_audit, organizations_with_audit, verify_chain
from sql.session import system_session

COLUMNS = ("sequence", "recorded_at", "event", "actor", "step_id", "risk", "was_automatic", "success", "summary")


@click.group()
def audit() -> None:
    """List and verify the audit log."""


@audit.command("list")
@click.option("--org", help="Only this organisation's.")
@click.option("--run", "run", help="Only this run's, in the order they were written.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="At most this many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(org: str | None, run: str | None, limit: int, as_json: bool) -> None:
    """List audit rows, newest first; of one run, in order.

    \b
    Examples:
      maos audit list --org demo
      maos audit list --run 3f2a --json
    """
    with system_session() as session:
        if run:
            rows = audit_of_run(run_id_of(run), session=session)[:limit]
        else:
            rows = list_audit(org_id=org_id_of(org), limit=limit, session=session)
    print_rows([row.model_dump() for row in rows], as_json=as_json, columns=COLUMNS, title="audit")


@audit.command()
@click.option("--org", help="Only this organisation's chain.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def verify(org: str | None, as_json: bool) -> None:
    """Check the hash chain of each organisation; exit with 1 where one does not hold.

    \b
    Example:
      maos audit verify --org demo
    """
    wanted = org_id_of(org)
    results: list[dict[str, object]] = []
    with system_session() as session:
        for org_id, slug in organizations_with_audit(session=session):
            if wanted in {None, org_id}:
                rows, fault = verify_chain(org_id, session=session)
                broken = (
                    {"fault_at": fault.sequence, "fault": fault.reason} if fault else {"fault_at": None, "fault": None}
                )
                results.append({"org": slug, "rows": rows, **broken})
    if as_json:
        print_json(results)
    for result in [] if as_json else results:
        click.echo(_in_words(result))
    sys.exit(1 if any(result["fault"] for result in results) else 0)


def _in_words(result: dict[str, object]) -> str:
    if result["fault"]:
        return f"{result['org']}: BROKEN at row {result['fault_at']}: {result['fault']}"
    return f"{result['org']}: {result['rows']} rows, the chain holds"
