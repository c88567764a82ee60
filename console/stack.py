"""`maos up`, `down` and `status`: the embedded stack runs as a process of its own."""

import os
import subprocess
import sys

import click


def run_stack(*arguments: str) -> int:
    """Run a verb of the embedded stack; return its exit code."""
    return subprocess.run([sys.executable, "-m", "deployments", *arguments], check=False).returncode


@click.command()
@click.option("--detach", "-d", is_flag=True, help="Leave it running in the background.")
def up(detach: bool) -> None:
    """Start what is missing of the embedded stack, and stop it again on Ctrl+C.

    \b
    Examples:
      maos up
      maos up --detach
    """
    # In this command's place: a parent in between would take Ctrl+C as its own and kill the supervisor at its work.
    os.execv(sys.executable, [sys.executable, "-m", "deployments", "up", *(["--detach"] if detach else [])])


@click.command()
def down() -> None:
    """Stop the embedded stack; its data stays."""
    sys.exit(run_stack("down"))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(as_json: bool) -> None:
    """Show each part of the embedded stack: address, process, health."""
    sys.exit(run_stack("status", *(["--json"] if as_json else [])))
