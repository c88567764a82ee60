"""`maos plan`: show what a run would do, without starting it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from uuid import UUID

import click

from console.datasets import bring_within_reach
from console.output import console, print_json, table_of
from console.prefect_api import require_server
from console.run import checked_plan, name_of, read_request, request_options
from maos.actions import Actions
from maos.autonomy import stricter
from maos.engines import EngineType
from maos.errors import BadInput
from maos.plan_graph import mermaid_of, svg_of
from maos.plan_view import Asking, PlanRow, dollars, plan_rows, total_ceiling
from maos.plans import Plan
from maos.requests import RunRequest
from maos.rules_check import cap_under
from tasks.admission import admit
from tasks.catalogue import actions
from tasks.ceilings import planned_ceilings
from tasks.engines import engines_without_key
from tasks.entrypoints import ENTRYPOINTS, engines_added_by
from tasks.pictures import png_of
from tasks.policies import policy_book
from tasks.rules import rule_book

_STDOUT = "-"
_COLUMNS = (
    *("step", "phase", "agent", "engine", "action", "risk", "after"),
    *("approvers", "approvals", "expires_after", "ceiling_usd"),
)


@click.command()
@request_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--graph", metavar="FILE|-", help="Draw it: .svg, .png or .mmd (Mermaid); - prints Mermaid.")
def plan(
    entrypoint: str,
    request_file: Path | None,
    org: str | None,
    params: tuple[str, ...],
    as_json: bool,
    graph: str | None,
) -> None:
    """Show the plan of a request: who does what, who would be asked, what it can cost. Nothing is started or stored.

    \b
    Examples:
      maos plan generate_report --request examples/generate_report/request.json
      maos plan generate_report --request examples/generate_report/request.json --graph plan.svg
    """
    _check_graph(graph, as_json=as_json)
    require_server()
    name = name_of(entrypoint)
    request = read_request(ENTRYPOINTS[name], request_file, org=org, params=params)
    org_id = admit(request)
    bring_within_reach(request)
    made = checked_plan(name, request)
    if graph == _STDOUT:
        click.echo(_mermaid(made, actions(), request.title).decode(), nl=False)
        return
    without_key = engines_without_key(made, engines_added_by(name))
    _print(made, request, org_id=org_id, without_key=without_key, as_json=as_json)
    if graph:
        _write(Path(graph), _DRAWN_AS[Path(graph).suffix.lower()](made, actions(), request.title))


def _check_graph(graph: str | None, *, as_json: bool) -> None:
    if graph == _STDOUT and as_json:
        raise BadInput("--graph", graph, "a file, where JSON is printed")
    if graph not in {None, _STDOUT} and Path(graph or "").suffix.lower() not in _DRAWN_AS:
        raise BadInput("--graph", graph or "", f"a file that ends in {', '.join(_DRAWN_AS)}; or {_STDOUT}")


def _write(file: Path, picture: bytes) -> None:
    try:
        file.write_bytes(picture)
    except OSError as error:
        raise BadInput("--graph", str(file), f"a file that can be written ({error.strerror})") from None


def _print(
    made: Plan, request: RunRequest, *, org_id: UUID, without_key: tuple[EngineType, ...], as_json: bool
) -> None:
    asking = _asking_of(request, org_id)
    rehearsal = bool(without_key)
    ceilings = planned_ceilings(made, org_id=org_id, rehearsal=rehearsal)
    rows = plan_rows(made, actions(), asking, ceilings)
    total = dollars(total_ceiling(rows))
    cap_usd = cap_under(asking.rules, request.cost_cap_usd)
    if as_json:
        steps = [row.model_dump(mode="json") | {"ceiling_usd": dollars(row.ceiling_usd)} for row in rows]
        facts = {"org": request.org, "title": request.title, "autonomy": asking.autonomy.value, "rehearsal": rehearsal}
        print_json({**facts, "ceiling_usd": total, "cost_cap_usd": cap_usd, "steps": steps})
        return
    console().print(table_of(map(_cells, rows), columns=_COLUMNS, title=f"Plan of {request.title}"))
    cap = f", capped at {dollars(cap_usd)} USD" if cap_usd else ""
    without = f", rehearsed: {_keyless(without_key)}" if rehearsal else ""
    click.echo(f"At most {total} USD in all{cap}; {asking.autonomy.value}{without}. Nothing was started.")


def _keyless(engines: Sequence[EngineType]) -> str:
    names = " and the ".join(engine.label for engine in engines)
    return f"the {names} {'has' if len(engines) == 1 else 'have'} no key"


def _cells(row: PlanRow) -> Mapping[str, object]:
    told = {"risk": row.risk_in_words, "after": ", ".join(row.after), "ceiling_usd": dollars(row.ceiling_usd)}
    return {**row.model_dump(mode="json"), "approvals": row.approvals or "", **told}


def _asking_of(request: RunRequest, org_id: UUID) -> Asking:
    policies = policy_book(org_id)
    level = policies.policy.level_of(request.team)
    return Asking(
        autonomy=stricter(request.autonomy or level, level),
        initiator=request.initiator,
        rules=rule_book(org_id).rules,
        policies=policies,
    )


def _mermaid(made: Plan, specs: Actions, title: str) -> bytes:
    return mermaid_of(made, {}, specs, title=title).encode()


def _svg(made: Plan, specs: Actions, title: str) -> bytes:
    return svg_of(made, {}, specs, title=title).encode()


def _png(made: Plan, specs: Actions, title: str) -> bytes:
    return png_of(svg_of(made, {}, specs, title=title))


_DRAWN_AS: dict[str, Callable[[Plan, Actions, str], bytes]] = {".svg": _svg, ".png": _png, ".mmd": _mermaid}
