"""The embedded stack from the command line: `python -m deployments up | down | status`."""

import contextlib
import json
import sys
from typing import NoReturn

import click
from rich.console import Console

from deployments.embedded.connection import read_connection
from deployments.embedded.home import Home
from deployments.embedded.status import stack_status, status_table
from deployments.embedded.up import running_stack, supervise, supervise_detached, take_down
from maos.errors import BadInput, MaosError
from maos.settings import home_folder, load_configured
from tasks.logs import guard_logs
from tasks.secrecy import keeper


@click.group()
def command() -> None:
    """Run PostgreSQL, the Prefect server and a worker on this machine."""


@command.command()
@click.option("--detach", is_flag=True, help="Return when everything works, and leave it running.")
def up(*, detach: bool) -> None:
    """Start what is missing; without --detach, stop it again on Ctrl+C."""
    home, settings = Home(home_folder()), load_configured()
    if running_stack(home):
        click.echo("The stack is running already.")
    elif detach:
        supervise_detached(home)
    elif supervise(home, settings, report=_say, when_ready=lambda: show_stack(home, login=sys.stdout.isatty())):
        return
    show_stack(home)


@command.command()
def down() -> None:
    """Stop the stack; its data stay."""
    stopped = take_down(Home(home_folder()))
    click.echo(f"Stopped: {', '.join(stopped)}." if stopped else "The stack is not running.")


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects instead of a table.")
def status(*, as_json: bool) -> None:
    """Check every part; exit code 1 unless all of them work."""
    home = Home(home_folder())
    parts = stack_status(home, read_connection(home.connection))
    if as_json:
        click.echo(json.dumps([part.model_dump() for part in parts], indent=2))
    else:
        Console().print(status_table(parts))
    sys.exit(0 if all(part.healthy for part in parts) else 1)


def show_stack(home: Home, *, login: bool = True) -> None:
    """Print the parts and how to log in to the UI; into a log, only where the login is found."""
    connection = read_connection(home.connection)
    Console().print(status_table(stack_status(home, connection)))
    if connection is not None:
        click.echo(f"Prefect UI: {connection.ui_url}")
        shown = (connection.prefect_api_auth_string or "none") if login else f"in {home.connection}"
        click.echo(f"Login:      {shown}")


def _say(text: str) -> None:
    # A terminal that has gone must not keep the stack from being stopped in order.
    with contextlib.suppress(OSError):
        click.echo(text)


def main() -> NoReturn:
    """Run the command line; an error is one line and an exit code."""
    guard_logs()
    try:
        sys.exit(command(standalone_mode=False))
    except click.ClickException as error:
        _complain(error.format_message(), 2)
    except click.Abort:
        sys.exit(130)
    except (MaosError, OSError) as error:
        _complain(str(error), 2 if isinstance(error, BadInput) else 1)


def _complain(message: str, code: int) -> NoReturn:
    click.echo(f"maos: {keeper().redaction.without_secrets(message)}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
