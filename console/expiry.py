"""`maos approvals expire`: what the housekeeping flow does every minute, now."""

import click

from console.output import print_json
from console.prefect_api import require_server
from tasks.overdue import keep_queue


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def expire(as_json: bool) -> None:
    """End or escalate what nobody decided in time, remind, tell people and wake runs; print what was done.

    \b
    Example:
      maos approvals expire
    """
    require_server()
    done = keep_queue()
    if as_json:
        print_json(done)
        return
    click.echo("\n".join(done) or "nothing is due")
