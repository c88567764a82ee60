"""The `maos` command: its groups load when they are called, so that help comes at once."""

import sys

import click

from console.lazy_group import LazyGroup
from console.prefect_environment import point_prefect_at_server
from maos.errors import BadInput, MaosError, PlanRefused, PolicyRefused, RulesRefused, WorkflowRefused
from tasks.logs import guard
from tasks.secrecy import keeper

_BAD_INPUT = 2
_FAILURE = 1

# Name: where the command is, and what `maos --help` says of it.
_COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("console.demo:demo", "Run the example report on a stack of its own."),
    "up": ("console.stack:up", "Start what is missing of the embedded stack."),
    "down": ("console.stack:down", "Stop the embedded stack."),
    "status": ("console.stack:status", "Show the parts of the embedded stack."),
    "run": ("console.run:run", "Start a run through its deployment."),
    "plan": ("console.plan:plan", "Show the plan of a request without running it."),
    "runs": ("console.runs:runs", "List and show runs."),
    "invocations": ("console.invocations:invocations", "List attempts at steps across runs."),
    "actions": ("console.actions:actions", "List and show the actions that plans may name."),
    "approvals": ("console.approvals:approvals", "List, show and decide what waits for a person."),
    "notices": ("console.notices:notices", "Say who is told of approvals, and how; list what was told."),
    "learning": ("console.learning:learning", "Show what decisions teach; propose, withdraw and roll back."),
    "reviewers": ("console.reviewers:reviewers", "Give people one-time codes, list and revoke them."),
    "audit": ("console.audit:audit", "List, show, verify and export the audit log."),
    "retention": ("console.retention:retention", "Say how long audit rows are kept; legal holds; archives."),
    "privacy": ("console.privacy:privacy", "Erase a person's data; the audit log stays verifiable."),
    "evidence": ("console.evidence:evidence", "Write the evidence of a run into one file; verify such a file."),
    "rules": ("console.rules:rules", "Check, show, store and compare rules; rehearse them on past actions."),
    "policy": ("console.policy:policy", "Show, check, store and compare who waits for whom, and who approves."),
    "workflows": ("console.workflows:workflows", "Register, list, show, disable and export workflows of agents."),
    "engines": ("console.engines:engines", "Check that the configured engines answer."),
    "prices": ("console.prices:prices", "Show and agree on prices; recompute what past calls cost."),
    "budgets": ("console.budgets:budgets", "Set, show and top up what an organisation may spend."),
    "usage": ("console.usage:usage", "Show what was used and paid, by team, agent, engine, day and more."),
    "billing": ("console.billing:billing", "Show, export, close and check what organisations owe, month by month."),
    "reconcile": ("console.reconcile:reconcile", "Bring the ledger and Prefect into agreement now."),
    "org": ("console.org:org", "Create, suspend, resume and delete organisations; make logins for customers."),
    "users": ("console.users:users", "Add people to organisations, grant and revoke roles."),
    "db": ("console.db:db", "Migrate the database and print its addresses."),
}

# They must not hand the addresses of a stack to the process that runs it: it would take them for an operator's own.
_RUN_THE_STACK = frozenset({"demo", "up", "down", "status"})


class _Commands(LazyGroup):
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _COMMANDS and cmd_name not in _RUN_THE_STACK:
            point_prefect_at_server()
            guard()
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=_Commands,
    places={name: place for name, (place, _) in _COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="maos")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def cli(debug: bool) -> None:
    """Governed multi-agent work on Prefect.

    \b
    Examples:
      maos demo
      maos run generate_report --request examples/generate_report/request.json --wait
      maos approvals list
    """
    click.get_current_context().obj = debug


def main() -> None:
    """Run the command line: bad input exits with 2, failure with 1, each with one line on stderr."""
    debug = "--debug" in sys.argv
    try:
        sys.exit(cli(standalone_mode=False))
    except click.exceptions.Abort:
        _complain("interrupted", _FAILURE)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(_BAD_INPUT)
    except click.ClickException as error:
        _complain(error.format_message(), _BAD_INPUT if isinstance(error, click.UsageError) else _FAILURE)
    except (BadInput, PlanRefused, PolicyRefused, RulesRefused, WorkflowRefused) as error:
        if debug:
            raise
        _complain(str(error), _BAD_INPUT)
    except (MaosError, OSError) as error:
        if debug:
            raise
        _complain(str(error), _FAILURE)


def _complain(message: str, code: int) -> None:
    # Not with the settings: they may be what is complained about.
    click.echo(f"maos: {keeper().redaction.without_secrets(message)}", err=True)
    sys.exit(code)
