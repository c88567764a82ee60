"""`maos run`: start an entrypoint through its deployment."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from console.datasets import with_stored_dataset
from console.follow import ended_well, follow
from console.output import print_json
from console.prefect_api import start_run
from console.workflow_inputs import INPUT, with_inputs
from maos.errors import BadInput
from maos.mail_request import IMAP
from maos.plan_check import check_plan
from maos.plans import Plan
from maos.requests import RunRequest
from maos.rules_check import held_to
from tasks.admission import admit
from tasks.catalogue import actions
from tasks.entrypoints import ENTRYPOINTS, Entrypoint, plan_of
from tasks.pages import run_page
from tasks.rules import rule_book
from tasks.runs import retry_of

Command = Callable[..., None]
# Fields that may be given with commas.
_LISTS = frozenset({"measures", "dimensions", "datasets", "references"})
# Fields of requests that may be paths.
_PATHS = ("dataset", "source")
_PATH_LISTS = ("datasets", "references")

_REQUEST_OPTIONS: tuple[Callable[[Command], Command], ...] = (
    click.argument("entrypoint"),
    click.option("--request", "request_file", type=click.Path(path_type=Path), help="A JSON file with the request."),
    click.option("--org", help="Organisation the run works for."),
    click.option("--param", "params", multiple=True, metavar="KEY=VALUE", help="A field of the request; repeatable."),
)


def request_options(command: Command) -> Command:
    """Give a command the entrypoint and the options that a request is put together from."""
    for option in reversed(_REQUEST_OPTIONS):
        command = option(command)
    return command


@click.command()
@request_options
@click.option("--wait", is_flag=True, help="Follow the run to its end or its gate.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def run(
    entrypoint: str, request_file: Path | None, org: str | None, params: tuple[str, ...], wait: bool, as_json: bool
) -> None:
    """Start a run; its id is printed at once.

    A list is given with commas or as JSON: --param measures=revenue,quantity

    \b
    Examples:
      maos run generate_report --request examples/generate_report/request.json
      maos run generate_report --org demo --param initiator=author@demo.example \\
          --param dataset=orders.csv --param title=Orders --wait
    """
    name = name_of(entrypoint)
    chosen = ENTRYPOINTS[name]
    request = checked_request(name, read_request(chosen, request_file, org=org, params=params))
    run_id = start_run(chosen.deployment, request)
    if as_json:
        print_json({"id": run_id, "entrypoint": entrypoint, "org": request.org, "page": run_page(run_id)})
    else:
        click.echo(run_id)
    if wait:
        sys.exit(0 if ended_well(follow(run_id, quiet=as_json)) else 1)


def name_of(entrypoint: str) -> str:
    """Return the name of an entrypoint, which may be written with dashes.

    Raises:
        BadInput: when it is not an approved one.
    """
    name = entrypoint.replace("-", "_")
    if name not in ENTRYPOINTS:
        raise BadInput("entrypoint", entrypoint, ", ".join(ENTRYPOINTS))
    return name


def read_request(
    entrypoint: Entrypoint, file: Path | None, *, org: str | None = None, params: tuple[str, ...] = ()
) -> RunRequest:
    """Put a request together from a file and single fields, which count more; paths become absolute.

    Raises:
        BadInput: naming the field, the value and what is allowed.
    """
    fields = _fields_of_file(file) | dict(_field_of(param) for param in params)
    if org:
        fields["org"] = org
    single = {name: fields.pop(name) for name in list(fields) if name.startswith(INPUT)}
    try:
        request = entrypoint.request.model_validate(fields)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        name = ".".join(map(str, fault["loc"])) or "request"
        value = "" if fault["type"] == "missing" else str(fault["input"])[:200]
        raise BadInput(name, value, _allowed(entrypoint, fault["msg"], name)) from None
    folder = file.absolute().parent if file else Path.cwd()
    return with_inputs(request, single, folder=folder)


def _allowed(entrypoint: Entrypoint, message: str, name: str) -> str:
    if name in entrypoint.request.model_fields:
        return message
    return f"one of the fields {', '.join(entrypoint.request.model_fields)}"


def _fields_of_file(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        fields = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise BadInput("--request", str(file), f"a readable JSON file ({error})") from None
    if not isinstance(fields, dict):
        raise BadInput("--request", str(file), "a JSON object with the fields of the request")
    return {name: _within(file.absolute().parent, name, value) for name, value in fields.items()}


def _field_of(param: str) -> tuple[str, Any]:
    name, separator, text = param.partition("=")
    if not separator:
        raise BadInput("--param", param, "KEY=VALUE")
    value: Any = text
    if name == "inputs" or name.startswith(INPUT):
        return name, _object_of(name, text) if name == "inputs" else text
    if text.startswith("[") and name not in _PATHS:
        value = _list_of(name, text)
    elif name in _LISTS:
        value = [part.strip() for part in text.split(",") if part.strip()]
    return name, _within(Path.cwd(), name, value)


def _list_of(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise BadInput(name, text, 'a JSON list, such as ["north", "south"]') from None


def _object_of(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise BadInput(
            name, text, 'a JSON object, such as {"question": "..."}; or one input: inputs.question=...'
        ) from None


def _within(folder: Path, name: str, value: Any) -> Any:
    """Return a field with its paths absolute, which are relative to a folder."""
    if name in _PATHS and isinstance(value, str):
        return _absolute(value, folder)
    if name in _PATH_LISTS and isinstance(value, list):
        return [_absolute(each, folder) if isinstance(each, str) else each for each in value]
    return value


def _absolute(dataset: str, folder: Path) -> str:
    return dataset if "://" in dataset or dataset.startswith(IMAP) else str(folder / dataset)


def checked_request(name: str, request: RunRequest) -> RunRequest:
    """Refuse here and now what the run would refuse; return the request with its data set where the run may read it.

    Raises:
        BadInput: naming the field, the value and what is allowed.
        PlanRefused: with every fault of the plan.
    """
    # First: nothing is copied for an organisation that does not exist, or for a stranger.
    admit(request)
    stored = with_stored_dataset(request)
    checked_plan(name, stored)
    return stored


def checked_plan(name: str, request: RunRequest) -> Plan:
    """Return the plan that the run of an admitted request would have; its data set must be within reach.

    Raises:
        BadInput: naming the field, the value and what is allowed.
        PlanRefused: with every fault of the plan.
        RulesRefused: when there are no rules to check it with.
    """
    rules = rule_book(admit(request)).rules
    retry = retry_of(request)
    plan = retry.plan if retry else plan_of(name, request)
    check_plan(plan, actions(), rules, cost_cap_usd=request.cost_cap_usd)
    return held_to(plan, rules)
