"""`maos reconcile`: what the housekeeping flow does every minute, now."""

import click

from console.output import print_json
from console.prefect_api import require_server
from tasks.reconciliation import reconcile as reconcile_all


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def reconcile(as_json: bool) -> None:
    """Bring the ledger and Prefect into agreement; print what was mended.

    \b
    Example:
      maos reconcile
    """
    require_server()
    mended = reconcile_all()
    if as_json:
        print_json(mended)
        return
    click.echo("\n".join(mended) or "nothing to mend")
