"""`maos engines`: whether the configured engines answer."""

import sys

import click
from httpx import HTTPError

from console.output import Row, print_rows
from console.prefect_api import require_server
from maos.engine_checks import EngineCheck, EngineState
from maos.errors import StackError
from tasks.engine_checks import check_engines

_COLUMNS = ("engine", "type", "state", "reason", "latency_ms", "note")


@click.group()
def engines() -> None:
    """Check that the configured engines answer."""


@engines.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(as_json: bool) -> None:
    """Call each configured engine once; exit with 1 where one fails.

    It costs nothing: the writer is asked to count the tokens of one word, the illustrator whether it has its model.
    That proves key, address, model and the way there; not that the account has credit left. The researcher works with
    the writer's key and is not called as well.

    \b
    Examples:
      maos engines check
      maos engines check --json
    """
    require_server()
    checks = _checks()
    print_rows([_row(each) for each in checks], as_json=as_json, columns=_COLUMNS, title="engines")
    sys.exit(1 if any(each.state is EngineState.FAILED for each in checks) else 0)


def _checks() -> list[EngineCheck]:
    try:
        return check_engines()
    except HTTPError as error:
        raise StackError("Prefect server", f"it does not answer: {error}") from error
    except ValueError:
        # Prefect's way of saying that there is no such document, or none that fits the block.
        raise StackError("Prefect server", "it has no usable block `default` of an engine; run: maos up") from None


def _row(each: EngineCheck) -> Row:
    return {
        "engine": each.engine.label,
        "type": each.engine.value,
        **each.model_dump(mode="json", include={"state", "reason", "latency_ms", "note"}),
    }
