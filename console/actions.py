"""`maos actions`: what a plan may name."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal

import click

from console.output import Row, console, print_json, print_rows, table_of
from maos.action_view import ActionView, schemas_of, view_of
from maos.actions import ActionSpec
from maos.effects import Effect
from maos.engines import EngineType
from maos.errors import BadInput
from maos.plan_view import dollars
from maos.risk import RiskLevel
from tasks import claude_command, deep_agent, gemini_image
from tasks.catalogue import WORKSPACES, WRITING
from tasks.catalogue import actions as specs
from tasks.claude_cli import ceilings_of_try

_COLUMNS = ("name", "engine", "risk", "asks", "read_only", "effect", "inputs", "output", "timeout", "price")
_ENGINES = [name for engine in EngineType for name in (engine.label, engine.value)]


@click.group()
def actions() -> None:
    """List and show the actions that plans may name; needs no running stack."""


@actions.command("list")
@click.option("--engine", type=click.Choice(_ENGINES), help="Only of this engine, by either of its names.")
@click.option("--risk", type=click.Choice([risk.value for risk in RiskLevel]), help="Only of this risk.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(engine: str | None, risk: str | None, as_json: bool) -> None:
    """List every action that a plan may name.

    \b
    Examples:
      maos actions list
      maos actions list --engine service --risk high --json
    """
    views = [
        view
        for view in map(_view_of, specs().values())
        if engine in {None, view.engine, view.engine_type} and risk in {None, view.risk}
    ]
    rows = [_plain(view) for view in views] if as_json else [_in_words(view) for view in views]
    print_rows(rows, as_json=as_json, columns=_COLUMNS, title="actions")


@actions.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, as_json: bool) -> None:
    """Show an action with the JSON schema of what it takes and gives.

    \b
    Example:
      maos actions show send_email
    """
    spec = _spec_of(name)
    view, schemas = _view_of(spec), schemas_of(spec)
    if as_json:
        print_json({**_plain(view), **schemas.model_dump()})
        return
    words = _in_words(view)
    facts = [{"": column, " ": words[column]} for column in ("title", "engine_type", *_COLUMNS, "adds_steps")]
    console().print(table_of(facts, columns=("", " "), title=name))
    _print_schema("parameters", schemas.parameters_schema)
    _print_schema("output", schemas.output_schema)


def _spec_of(name: str) -> ActionSpec:
    known = specs()
    if name not in known:
        raise BadInput("action", name, ", ".join(sorted(known)))
    return known[name]


def _view_of(spec: ActionSpec) -> ActionView:
    if spec.name in WRITING:
        return view_of(spec, ceilings_of_try(WRITING[spec.name]))
    if spec.name in WORKSPACES:
        return view_of(spec, claude_command.ceilings_of_try())
    ceilings = _CEILINGS.get(spec.engine)
    return view_of(spec, ceilings() if ceilings else {})


# Engines that are not in here cost nothing, or depend on the action.
_CEILINGS: dict[EngineType, Callable[[], Mapping[str, Decimal]]] = {
    EngineType.DEEP_AGENT: deep_agent.ceilings_of_try,
    EngineType.GEMINI_IMAGE: gemini_image.ceilings_of_try,
}


def _plain(view: ActionView) -> Row:
    return {
        **view.model_dump(mode="json"),
        "at_most_usd": {model: dollars(most) for model, most in view.at_most_usd.items()},
    }


def _in_words(view: ActionView) -> Row:
    inputs = [f"{name}: {kind}" for name, kind in view.inputs.items()]
    return {
        **view.model_dump(include={"name", "title", "engine", "engine_type", "risk", "output"}),
        "asks": "always" if view.always_asks else "by risk",
        "read_only": "yes" if view.read_only else "no",
        "effect": _effect_in_words(view.effect),
        "inputs": ", ".join([*inputs, "any others"] if view.open_inputs else inputs),
        "timeout": f"{view.timeout_seconds:g} s",
        "price": _price_in_words(view),
        "adds_steps": "may" if view.proposes_steps else "never",
    }


def _effect_in_words(effect: Effect | None) -> str:
    if effect is None:
        return ""
    if effect.repeatable_if:
        return f"{effect.kind.value}, repeatable if {effect.repeatable_if}"
    return f"{effect.kind.value}, {'repeatable' if effect.repeatable else 'not repeatable'}"


def _price_in_words(view: ActionView) -> str:
    if view.free:
        return "free"
    most = ", ".join(f"{model} {usd:.2f}" for model, usd in view.at_most_usd.items())
    return f"USD a try, at most: {most}"


def _print_schema(title: str, schema: object) -> None:
    click.echo(f"\n{title}: {json.dumps(schema, indent=2, ensure_ascii=False) if schema else 'no schema'}")
