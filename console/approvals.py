"""`maos approvals`: list, show and decide what waits for a person."""

from uuid import UUID

import click

from console.expiry import expire
from console.ids import approval_id_of
from console.organisations import org_id_of
from console.output import console, print_json, print_rows, table_of
from console.prefect_api import resume
from maos.approvals import Approval, Decision, DecisionPath
from maos.decisions import DecisionRequest
from maos.errors import BadInput, DecisionRefused, StackError
from maos.statuses import ApprovalStatus
from sql.approvals import approval_row, find_approval, list_approvals
from sql.session import system_session
from tasks.approvals import decide
from tasks.ledger import find_run
from tasks.reconciliation import reconcile_run

_LIST = ("id", "org", "run_id", "step_id", "kind", "risk", "status", "initiator_id", "started_at", "expires_at")
_FACTS = ("id", "run_id", "step_id", "title", "risk", "cost_ceiling_usd", "initiator_id", "status", "expires_at")
_DECIDED = ("choice", "decided_by", "decided_via", "decided_at", "identity_verified", "note", "digest")
_NOTE_LIMIT = 2000


@click.group()
def approvals() -> None:
    """List, show and decide what waits for a person."""


approvals.add_command(expire)


@approvals.command("list")
@click.option("--org", help="Only this organisation's.")
@click.option(
    "--status",
    type=click.Choice([status.value for status in ApprovalStatus] + ["all"]),
    default="pending",
    show_default=True,
    help="Only in this status.",
)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="At most this many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(org: str | None, status: str, limit: int, as_json: bool) -> None:
    """List approvals, the oldest first.

    \b
    Examples:
      maos approvals list
      maos approvals list --org demo --status all --json
    """
    wanted = None if status == "all" else ApprovalStatus(status)
    with system_session() as session:
        found = list_approvals(org_id=org_id_of(org), status=wanted, limit=limit, session=session)
        rows = [{"org": slug, **row.model_dump()} for row, slug in found]
    print_rows(rows, as_json=as_json, columns=_LIST, title="approvals")


@approvals.command()
@click.argument("approval")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(approval: str, as_json: bool) -> None:
    """Show what would happen, in the words of the form; the id may be shortened.

    \b
    Example:
      maos approvals show 3f2a
    """
    from rich.markdown import Markdown

    with system_session() as session:
        row = approval_row(approval_id_of(approval), session=session).model_dump()
    if as_json:
        print_json(row)
        return
    facts = [{"": name, " ": row[name]} for name in (*_FACTS, *_DECIDED)]
    console().print(table_of(facts, columns=("", " ")))
    console().print(Markdown(row["preview"]))


@approvals.command()
@click.argument("approval")
@click.option("--as", "reviewer", required=True, metavar="EMAIL", help="Who decides.")
@click.option("--code", help="One-time code of the reviewer, where one is enrolled.")
@click.option("--note", help="Kept with the decision.")
@click.option("--choice", help="Where the approval offers choices: which.")
def approve(approval: str, reviewer: str, code: str | None, note: str | None, choice: str | None) -> None:
    """Approve an action; its run goes on.

    \b
    Examples:
      maos approvals approve 3f2a --as reviewer@demo.example
      maos approvals approve 3f2a --as reviewer@demo.example --choice again
    """
    _decide(approval, Decision.APPROVE, reviewer=reviewer, code=code, note=note, choice=choice)


@approvals.command()
@click.argument("approval")
@click.option("--as", "reviewer", required=True, metavar="EMAIL", help="Who decides.")
@click.option("--code", help="One-time code of the reviewer, where one is enrolled.")
@click.option("--note", required=True, help="Why; kept with the decision.")
def reject(approval: str, reviewer: str, code: str | None, note: str) -> None:
    """Reject an action; its run ends as its plan says.

    \b
    Example:
      maos approvals reject 3f2a --as reviewer@demo.example --note "the title is wrong"
    """
    _decide(approval, Decision.REJECT, reviewer=reviewer, code=code, note=note)


def _decide(
    text: str,
    decision: Decision,
    *,
    reviewer: str,
    code: str | None,
    note: str | None,
    choice: str | None = None,
) -> None:
    if note and len(note) > _NOTE_LIMIT:
        raise BadInput("--note", f"{len(note)} characters", f"at most {_NOTE_LIMIT}")
    request = DecisionRequest(
        decision=decision,
        reviewer=reviewer.strip().lower(),
        note=note,
        code=code,
        choice=choice,
        via=DecisionPath.COMMAND_LINE,
    )
    decided = decide_and_resume(approval_id_of(text), request)
    click.echo(f"{decided.step_id}: {decided.status.value} by {decided.decided_by}; the run goes on")


def decide_and_resume(approval_id: UUID, request: DecisionRequest) -> Approval:
    """Decide in the ledger, then wake the run.

    Raises:
        DecisionRefused: when the decision is not accepted.
        StackError: when it was, but the run did not wake.
    """
    _mend_run_of(approval_id)
    try:
        decided = decide(approval_id, request)
    except DecisionRefused:
        _wake_if_decided_before(approval_id, request.reviewer)
        raise
    if not _resume(decided, request.reviewer):
        reason = f"{decided.run_id} did not wake yet; the decision stands, give it again to wake the run"
        raise StackError("run", reason)
    return decided


def _mend_run_of(approval_id: UUID) -> None:
    # A run that is cancelled while it is suspended has no process that could tell its ledger.
    with system_session() as session:
        approval = find_approval(approval_id, session=session)
    run = find_run(approval.run_id) if approval and approval.run_id else None
    if run and not run.status.ended:
        reconcile_run(run)


def _wake_if_decided_before(approval_id: UUID, reviewer: str) -> None:
    # Whoever decided may have died before waking the run: repeating the command mends that.
    with system_session() as session:
        approval = find_approval(approval_id, session=session)
    if approval and approval.decided_by == reviewer:
        _resume(approval, reviewer)


def _resume(approval: Approval, reviewer: str) -> bool:
    if approval.run_id is None:
        return True
    return resume(approval.run_id, reviewer, picked_up=lambda: _is_consumed(approval.id))


def _is_consumed(approval_id: UUID) -> bool:
    with system_session() as session:
        now = find_approval(approval_id, session=session)
    return now is not None and now.consumed_at is not None
