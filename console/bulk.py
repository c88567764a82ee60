"""`maos approvals bulk`: decide at once what is alike, having seen the little in which it differs."""

import sys
from collections.abc import Mapping, Sequence
from uuid import UUID

import click
from rich.table import Table
from rich.text import Text

from console.approval_view import print_approval
from console.decisions import asked_code, checked_note, read_approval, reviewer_options
from console.ids import approval_id_of
from console.output import Row, at_terminal, console, print_rows
from console.waking import mend_runs
from maos.approvals import Approval, Decision, DecisionPath
from maos.bulk import comparison_of
from maos.decisions import DecisionRequest
from maos.errors import BadInput, DecisionRefused, MaosError
from maos.risk import RiskLevel
from maos.statuses import ApprovalStatus
from maos.visible import visible
from sql.approval_queue import alike, count_critical
from sql.session import system_session
from sql.votes import votes_on
from tasks.approvals import decide_alike, identify_for
from tasks.waking import wake_all

# In one transaction: meanwhile the organisation's runs wait for its audit chain.
_AT_ONCE = 100
_REPORT = ("id", "run_id", "step_id", "result", "run", "reason")


@click.command()
@click.option("--like", required=True, metavar="ID", help="One of them; its id may be shortened.")
@click.option(
    "--decision",
    type=click.Choice([Decision.APPROVE.value, Decision.REJECT.value]),
    default=Decision.APPROVE.value,
    show_default=True,
)
@reviewer_options
@click.option("--note", help="Kept with each decision; rejecting takes one.")
@click.option("--include-critical", is_flag=True, help="Critical ones too; at a terminal, typed out once more.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 1000), help="At most this many.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON; takes --yes.")
def bulk(
    like: str,
    decision: str,
    reviewer: str,
    code: str | None,
    note: str | None,
    include_critical: bool,
    limit: int,
    yes: bool,
    as_json: bool,
) -> None:
    """Decide every pending action that is like one: of the same organisation, action, parameters and deciders.

    Shown once is what is equal, and in a table what differs. Each is decided by itself, for exactly what was shown:
    one that is refused stops none of the others, and makes the exit code 1.

    \b
    Examples:
      maos approvals bulk --like 3f2a --as reviewer@demo.example
      maos approvals bulk --like 3f2a --decision reject --note "last month's" --as reviewer@demo.example --yes
    """
    if as_json and not yes:
        raise BadInput("--json", "without --yes", "--json with --yes: nobody can be asked")
    model, chosen = read_approval(approval_id_of(like)), Decision(decision)
    _refuse_what_bulk_cannot(model, chosen, note)
    found = _found(model, critical=include_critical, limit=limit, quiet=as_json)
    if not as_json:
        _show(model, found)
    _confirm(found, chosen, include_critical=include_critical, yes=yes)
    request = DecisionRequest(
        decision=chosen,
        reviewer=reviewer.strip().lower(),
        note=checked_note(note),
        code=asked_code(code, model),
        via=DecisionPath.BULK,
    )
    rows = _carry_out(found, request)
    print_rows(rows, as_json=as_json, columns=_REPORT, title="decided")
    sys.exit(0 if all(row["result"] != "refused" and row["run"] != "asleep" for row in rows) else 1)


def _refuse_what_bulk_cannot(model: Approval, decision: Decision, note: str | None) -> None:
    if decision is Decision.APPROVE and model.choices:
        raise BadInput("--like", str(model.id), "an approval without choices; decide this one by itself: approve")
    if decision is Decision.REJECT and not (note or "").strip():
        raise BadInput("--note", note or "", "a note that says why: rejecting takes one")


def _found(model: Approval, *, critical: bool, limit: int, quiet: bool) -> list[Approval]:
    with system_session() as session:
        left_out = 0 if critical else count_critical(model, session=session)
        found = alike(model, critical=critical, limit=limit, session=session)
    if left_out and not quiet:
        click.echo(f"Left out: {left_out} critical of this action; --include-critical decides them too.")
    if not found:
        raise BadInput("--like", str(model.id), "an approval of which the like are pending")
    mend_runs({approval.run_id for approval in found if approval.run_id})
    return found


def _show(model: Approval, found: Sequence[Approval]) -> None:
    with system_session() as session:
        votes = votes_on([approval.id for approval in found], session=session)
    comparison = comparison_of(found, votes)
    print_approval(model)
    same = Table("", "", title=f"equal in all {len(found)}", title_justify="left", title_style="bold")
    for path, value in comparison.equal.items():
        same.add_row(Text(visible(path)), Text(value))
    console().print(same)
    differing = Table(title="what differs", title_justify="left", title_style="bold")
    for column in ("id", *comparison.columns):
        differing.add_column(Text(visible(column)), no_wrap=column == "id")
    for approval, cells in zip(found, comparison.rows, strict=True):
        differing.add_row(str(approval.id)[:8], *map(Text, cells))
    console().print(differing)
    if comparison.reads_differ:
        click.echo("What they read from earlier steps differs, and a digest stands for it: `show` one to see it.")


def _confirm(found: Sequence[Approval], decision: Decision, *, include_critical: bool, yes: bool) -> None:
    critical = sum(approval.risk is RiskLevel.CRITICAL for approval in found)
    if critical and include_critical and at_terminal():
        typed = click.prompt(f"{critical} of them are critical. To {decision.value} them, type the word: critical")
        if typed.strip().lower() != RiskLevel.CRITICAL.value:
            raise click.Abort
    if not yes:
        click.confirm(f"{decision.value.capitalize()} these {len(found)}?", abort=True)


def _carry_out(found: Sequence[Approval], request: DecisionRequest) -> list[Row]:
    decided = _decide_all(found, request)
    # Decided first, all of them: what is in the ledger stands, whatever happens to the waking.
    told = {approval.run_id for approval in decided.values() if isinstance(approval, Approval) and approval.run_id}
    asleep = wake_all(told, request.reviewer) if told else frozenset()
    return [_row(approval, decided[approval.id], asleep) for approval in found]


def _decide_all(found: Sequence[Approval], request: DecisionRequest) -> dict[UUID, Approval | MaosError]:
    """Decide what was shown; a refusal, or a failure, is that one's alone."""
    requests = {each.id: request.model_copy(update={"seen": each.digest}) for each in found}
    identity = identify_for(requests, org_id=found[0].org_id)
    decided: dict[UUID, Approval | MaosError] = {}
    for first in range(0, len(found), _AT_ONCE):
        shown = {each.id: each.digest for each in found[first : first + _AT_ONCE]}
        decided |= decide_alike(shown, request, identity=identity)
    return decided


def _row(approval: Approval, result: Approval | MaosError, asleep: frozenset[UUID]) -> Mapping[str, object]:
    row = {"id": approval.id, "run_id": approval.run_id, "step_id": approval.step_id, "run": "", "reason": ""}
    if isinstance(result, MaosError):
        reason = result.reason if isinstance(result, DecisionRefused) else str(result)
        return {**row, "result": "refused", "reason": reason}
    said = "voted" if result.status is ApprovalStatus.PENDING else result.status.value
    return {**row, "result": said, "run": "asleep" if approval.run_id in asleep else "woken"}
