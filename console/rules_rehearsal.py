"""`maos rules rehearse`: what proposed rules would have done to past actions."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from console.organisations import known_org_id
from console.output import console, print_json, print_rows, table_of
from console.rules_files import read_document
from maos.autonomy import AutonomyLevel
from maos.rules import Rules
from maos.rules_rehearsal import Proposal, Rehearsal, rehearsed
from tasks.catalogue import actions
from tasks.past_actions import past_actions_of
from tasks.policies import policy_book
from tasks.rules import book_with, check_organization_rules, rule_book

_ACTIONS = ("action", "alone", "waits", "refused", "asked_then", "by_plan", "spent_usd", "at_most_usd")
_EXAMPLES = ("action", "verdict", "run_id", "step_id", "reason")
_REVIEWERS = ("reviewer", "may_decide", "share", "per_day")
_STAKES = ("verdict", "actions", "spent_usd", "at_most_usd")


@click.command()
@click.option("--org", required=True, help="Slug of the organisation.")
@click.option("--rules", "file", type=click.Path(path_type=Path), help="The proposed document; by default what holds.")
@click.option("--autonomy", type=click.Choice([level.value for level in AutonomyLevel]), help="By default each run's.")
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 366), help="How far back.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rehearse(org: str, file: Path | None, autonomy: str | None, days: int, as_json: bool) -> None:
    """Judge past actions by proposed rules: what would have run alone, waited, been refused. Nothing is run or stored.

    \b
    Examples:
      maos rules rehearse --org demo --rules rules.md
      maos rules rehearse --org demo --autonomy autonomous --days 7 --json
    """
    org_id = known_org_id(org)
    proposal = Proposal(
        rules=_proposed(file) if file else rule_book(org_id).rules,
        autonomy=AutonomyLevel(autonomy) if autonomy else None,
        policies=policy_book(org_id),
    )
    past, reviewers = past_actions_of(org_id, datetime.now(UTC) - timedelta(days=days))
    found = rehearsed(past, proposal, actions(), reviewers=reviewers, days=days)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    _print(found)


def _proposed(file: Path) -> Rules:
    document = read_document(file)
    check_organization_rules(document)
    return book_with(document, version=0).rules


def _print(found: Rehearsal) -> None:
    counted = [each.model_dump(mode="json") for each in found.actions]
    total = sum(stake.actions for stake in found.stakes)
    print_rows(counted, as_json=False, columns=_ACTIONS, title="past actions")
    if not total:
        return
    told = [
        {"action": each.action, **example.model_dump(mode="json")}
        for each in found.actions
        for example in each.examples
    ]
    console().print(table_of(told, columns=_EXAMPLES, title="examples"))
    stakes = [stake.model_dump(mode="json") for stake in found.stakes]
    console().print(table_of(stakes, columns=_STAKES, title="money at stake"))
    print_rows([load.model_dump() for load in found.reviewers], as_json=False, columns=_REVIEWERS, title="reviewers")
    if found.nobody_may_decide:
        click.echo(f"{found.nobody_may_decide} would have waited for a decision that nobody here may make.")
    click.echo(f"{total} actions of {found.days} days; those of the column by_plan as their plans had them.")
