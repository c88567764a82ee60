"""`maos demo`: starts the embedded stack, then runs the example on it."""

import sys

import click

from console.prefect_environment import point_prefect_at_server
from console.stack import run_stack


@click.command()
@click.option("--yes", is_flag=True, help="Approve the publication as the demo reviewer instead of waiting for you.")
def demo(yes: bool) -> None:
    """Run the example report through its deployment: planned, computed, approved, published, accounted for.

    The stack keeps running afterwards, so that you can look around; `maos down` stops it.

    \b
    Examples:
      maos demo
      maos demo --yes
    """
    if code := run_stack("up", "--detach"):
        sys.exit(code)
    point_prefect_at_server()
    # Only now: Prefect reads the address of its server when it is imported.
    from console.demo_run import run_example

    sys.exit(0 if run_example(decide=yes) else 1)
