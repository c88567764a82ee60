"""`maos budgets`: set, show and top up what an organisation may spend."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import click

from console.ids import run_id_of
from console.organisations import known_org_id
from console.output import Row, print_rows
from console.waking import wake_answered
from maos.budgets import (
    BudgetKey,
    BudgetPeriod,
    BudgetScope,
    BudgetUnit,
    checked_amount,
    checked_thresholds,
    checked_zone,
)
from maos.errors import BadInput
from tasks.budgets import BudgetView, ChangedBudget, budgets_of, set_budget, set_zone, top_up

_COLUMNS = ("scope", "name", "unit", "period", "begins", "ends", "limit", "spent", "reserved", "left", "notice_at")
_LONGEST_NAME = 100


@click.group()
def budgets() -> None:
    """Set, show and top up what an organisation may spend."""


def _names_a_budget(command: Callable[..., None]) -> Callable[..., None]:
    options: list[Any] = [
        click.option("--org", required=True, help="The organisation."),
        click.option(
            "--scope",
            type=click.Choice([scope.value for scope in BudgetScope]),
            default=BudgetScope.ORG.value,
            show_default=True,
            help="Whose calls it holds for.",
        ),
        click.option("--name", help="Name of the team or agent, or id of the run; none for the organisation."),
        click.option(
            "--unit",
            type=click.Choice([unit.value for unit in BudgetUnit]),
            default=BudgetUnit.USD.value,
            show_default=True,
            help="What it counts.",
        ),
        click.option(
            "--period",
            type=click.Choice([period.value for period in BudgetPeriod]),
            default=BudgetPeriod.TOTAL.value,
            show_default=True,
            help="After which time it is full again.",
        ),
        click.option("--as", "person", required=True, metavar="EMAIL", help="Who does so: an owner."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@budgets.command("set")
@_names_a_budget
@click.option("--limit", "amount", required=True, metavar="AMOUNT", help="USD, tokens or calls; 0 stops every call.")
@click.option("--notice-at", "percents", type=int, multiple=True, metavar="PERCENT", help="Notice at; repeatable.")
def set_(
    org: str,
    scope: str,
    name: str | None,
    unit: str,
    period: str,
    person: str,
    amount: str,
    percents: Sequence[int],
) -> None:
    """Set a limit, from now on and in the present period too.

    Every call of a paid engine must fit into each budget that it falls under: the organisation's, its team's, its
    agent's and its run's. A limit below what is spent is taken: nothing fits any more until the next period. Runs that
    wait for a top-up of it go on, the oldest first, as many as fit; their approvals are withdrawn.

    \b
    Examples:
      maos budgets set --org demo --period month --limit 500 --notice-at 50 --notice-at 80 --as owner@demo.example
      maos budgets set --org demo --scope agent --name writer --unit calls --period day --limit 200 \\
          --as owner@demo.example
    """
    org_id = known_org_id(org)
    key = _key(org_id, scope, name, unit, period)
    limit = checked_amount(amount, key.unit)
    thresholds = checked_thresholds(percents) if percents else None
    person = person.strip().lower()
    _say(set_budget(key, limit, thresholds, person=person, org_id=org_id), person)


@budgets.command("top-up")
@_names_a_budget
@click.option("--amount", required=True, help="By how much the limit rises, in the present period alone.")
def top_up_(org: str, scope: str, name: str | None, unit: str, period: str, person: str, amount: str) -> None:
    """Raise a limit in its present period; the next one begins with what was set.

    Runs that wait for a top-up of it go on, the oldest first, as many as fit; their approvals are withdrawn.

    \b
    Example:
      maos budgets top-up --org demo --period month --amount 50 --as owner@demo.example
    """
    org_id = known_org_id(org)
    key = _key(org_id, scope, name, unit, period)
    more = checked_amount(amount, key.unit)
    if not more:
        raise BadInput("amount", amount, "more than nothing")
    person = person.strip().lower()
    _say(top_up(key, more, person=person, org_id=org_id), person)


@budgets.command()
@click.option("--org", required=True, help="The organisation.")
@click.option("--run", "run", help="The budgets of this run too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(org: str, run: str | None, as_json: bool) -> None:
    """Show the budgets of an organisation as they stand in their present period.

    \b
    Examples:
      maos budgets show --org demo
      maos budgets show --org demo --run 3f2a --json
    """
    views = budgets_of(known_org_id(org), run_id_of(run) if run else None)
    print_rows([_row(view, org) for view in views], as_json=as_json, columns=_COLUMNS, title=f"budgets of {org}")


@budgets.command()
@click.argument("zone")
@click.option("--org", required=True, help="The organisation.")
@click.option("--as", "person", required=True, metavar="EMAIL", help="Who does so: an owner.")
def timezone(zone: str, org: str, person: str) -> None:
    """Set by which time zone's calendar days and months begin; it is UTC at first.

    \b
    Example:
      maos budgets timezone Europe/Berlin --org demo --as owner@demo.example
    """
    set_zone(checked_zone(zone), person=person.strip().lower(), org_id=known_org_id(org))
    click.echo(f"days and months of {org} begin by {zone}")


def _key(org_id: UUID, scope: str, name: str | None, unit: str, period: str) -> BudgetKey:
    whose = BudgetScope(scope)
    if whose is BudgetScope.ORG:
        if name:
            raise BadInput("name", name, "none for the budget of the organisation itself; else a --scope")
        owner = str(org_id)
    else:
        if not name or len(name) > _LONGEST_NAME:
            raise BadInput("name", name or "", f"the {whose.value} that the budget is for")
        owner = str(run_id_of(name)) if whose is BudgetScope.RUN else name
    return BudgetKey(scope=whose, owner=owner, unit=BudgetUnit(unit), period=BudgetPeriod(period))


def _say(changed: ChangedBudget, person: str) -> None:
    click.echo(f"{changed.view.key.in_words}: {_in_words(changed.view)}")
    asleep = wake_answered(changed.answered, person) if changed.answered else frozenset()
    for question in changed.answered:
        when = "goes on within a minute" if question.run_id in asleep else "goes on"
        click.echo(f"run {question.run_id}: its call fits, it {when}")


def _in_words(view: BudgetView) -> str:
    unit = view.key.unit
    return f"{unit.in_words(view.limit)}, {unit.in_words(view.spent)} spent, {unit.in_words(view.left)} left"


def _row(view: BudgetView, org: str) -> Row:
    key = view.key
    return {
        "scope": key.scope.value,
        "name": org if key.scope is BudgetScope.ORG else key.owner,
        "unit": key.unit.value,
        "period": key.period.value,
        "begins": view.begins,
        "ends": view.ends,
        "limit": key.unit.plain(view.limit),
        "spent": key.unit.plain(view.spent),
        "reserved": key.unit.plain(view.reserved),
        "left": key.unit.plain(view.left),
        "notice_at": ", ".join(f"{percent} %" for percent in view.thresholds),
    }
