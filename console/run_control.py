"""`maos runs hold|release|cancel|retry`: what an operator does to a run."""

import sys
from uuid import UUID

import click
from pydantic import ValidationError

from console.follow import ended_well, follow
from console.ids import run_id_of
from console.output import console, print_json
from console.prefect_api import require_server, resume, start_run
from maos.errors import BadInput
from maos.plan_check import check_plan
from maos.requests import RetryOf, RunRequest
from maos.runs import GateKind, Run
from maos.statuses import RunStatus
from tasks.admission import admit
from tasks.cancellation import cancel_run
from tasks.catalogue import actions
from tasks.entrypoints import ENTRYPOINTS
from tasks.holds import hold_run, release_run
from tasks.ledger import find_run
from tasks.pages import run_page
from tasks.retries import plan_retry
from tasks.rules import rule_book

_PERSON = click.option("--as", "person", required=True, metavar="EMAIL", help="Who asks for it.")


@click.command()
@click.argument("run_id")
@_PERSON
def hold(run_id: str, person: str) -> None:
    """Stop a run before its next step; what is under way ends, and no process is held.

    \b
    Example:
      maos runs hold 3f2a --as operator@demo.example
    """
    run = _run_of(run_id)
    if not hold_run(run, _email(person)):
        raise BadInput("run", run_id, _not_possible(run, "a run that is under way and not held"))
    click.echo(f"run {run.id}: held by {_email(person)} before its next step")


@click.command()
@click.argument("run_id")
@_PERSON
def release(run_id: str, person: str) -> None:
    """Let a held run go on.

    \b
    Example:
      maos runs release 3f2a --as operator@demo.example
    """
    require_server()
    run = _run_of(run_id)
    if not release_run(run, _email(person)):
        raise BadInput("run", run_id, _not_possible(run, "a run that is held"))
    if run.status is RunStatus.PAUSED and run.gate_kind is GateKind.HOLD:
        resume(run.id, _email(person), picked_up=lambda: _run_of(run_id).status is not RunStatus.PAUSED)
    click.echo(f"run {run.id}: released by {_email(person)}; it goes on")


@click.command()
@click.argument("run_id")
@_PERSON
@click.option("--note", help="Why; kept with the run.")
def cancel(run_id: str, person: str, note: str | None) -> None:
    """End a run now: running calls are cut, its gates close, what was done stays recorded.

    \b
    Example:
      maos runs cancel 3f2a --as operator@demo.example --note "the wrong data set"
    """
    require_server()
    run = _run_of(run_id)
    cancel_run(run, _email(person), note)
    click.echo(f"run {run.id}: cancelled by {_email(person)}")


@click.command()
@click.argument("run_id")
@_PERSON
@click.option("--from", "from_step", metavar="STEP", help="Do this step and all that depends on it again.")
@click.option("--wait", is_flag=True, help="Follow the run to its end or its gate.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def retry(run_id: str, person: str, from_step: str | None, wait: bool, as_json: bool) -> None:
    """Start a new run with the same request that reuses what an ended one has finished.

    \b
    Examples:
      maos runs retry 3f2a --as author@demo.example
      maos runs retry 3f2a --as author@demo.example --from write_narrative --wait
    """
    require_server()
    parent = _run_of(run_id)
    entrypoint = ENTRYPOINTS[parent.entrypoint]
    request = _retry_request(parent, entrypoint.request, _email(person), from_step)
    org_id = admit(request)
    planned = plan_retry(RetryOf(run=parent.id, from_step=from_step), request, org_id)
    check_plan(planned.plan, actions(), rule_book(org_id).rules, cost_cap_usd=request.cost_cap_usd)
    new_id = start_run(entrypoint.deployment, request)
    _say(new_id, parent, planned.reused, planned.redone, as_json=as_json)
    if wait:
        sys.exit(0 if ended_well(follow(new_id, quiet=as_json)) else 1)


def _say(new_id: UUID, parent: Run, reused: tuple[str, ...], redone: tuple[str, ...], *, as_json: bool) -> None:
    if as_json:
        facts = {"id": new_id, "retry_of": parent.id, "reuses": reused, "redoes": redone, "page": run_page(new_id)}
        print_json(facts)
        return
    click.echo(new_id)
    console().print(f"Retry of run {parent.id}", markup=False)
    console().print(f"reuses: {', '.join(reused) or 'nothing'}", markup=False)
    console().print(f"does: {', '.join(redone)}", markup=False)


def _retry_request(parent: Run, kind: type[RunRequest], person: str, from_step: str | None) -> RunRequest:
    # Whoever retries a run is who started the new one, and may not approve it.
    changed = {"initiator": person, "retry": {"run": str(parent.id), "from_step": from_step}}
    try:
        return kind.model_validate({**parent.request, **changed})
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise BadInput(".".join(map(str, fault["loc"])), str(fault["input"])[:200], fault["msg"]) from None


def _run_of(text: str) -> Run:
    run = find_run(run_id_of(text))
    if run is None:
        raise BadInput("run", text, "an id that exists")
    return run


def _email(person: str) -> str:
    return person.strip().lower()


def _not_possible(run: Run, allowed: str) -> str:
    held = f", held by {run.held_by}" if run.held_by else ""
    return f"{allowed}; this one is {run.status.value}{held}"
