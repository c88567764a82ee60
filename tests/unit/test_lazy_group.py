"""Commands load when they are called; those that only list and show do without Prefect, which takes long to load."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from console.lazy_group import LazyGroup
from console.main import cli

_LOADED = """
import sys
from console.main import cli
try:
    cli(args=sys.argv[1:])
finally:
    print("prefect" in sys.modules)
"""


@pytest.mark.parametrize(
    "command", ["runs list", "runs show", "approvals list", "approvals show", "audit list", "audit show"]
)
def test_what_only_lists_or_shows_does_not_load_prefect(command: str) -> None:
    words = [sys.executable, "-c", _LOADED, *command.split(), "--help"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)

    assert done.stdout.startswith("Usage:")
    assert done.stdout.endswith("False\n")


def test_every_command_of_every_group_is_where_its_group_says() -> None:
    assert sorted(_missing(cli, click.Context(cli))) == []


def test_of_what_there_is_none_nothing_is_imported() -> None:
    said = CliRunner().invoke(cli, ["approvals", "acquit"])

    assert said.exit_code == 2
    assert "No such command 'acquit'" in said.output


def _missing(group: click.Group, context: click.Context) -> list[str]:
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        # Found under one name and called another, it would not be in the help.
        if command is None or (isinstance(group, LazyGroup) and command.name != name):
            found.append(name)
        elif isinstance(command, click.Group):
            found += _missing(command, context)
    return found
