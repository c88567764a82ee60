"""`maos approvals approve|reject|edit|respond|request-changes`: one decision, and the run goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import click

from console.approval_view import print_difference
from console.edits import edited_parameters
from console.ids import approval_id_of
from console.output import at_terminal
from console.waking import mend_runs, wake_run_of
from maos.approvals import Approval, Decision, DecisionPath
from maos.decisions import NOTE_LIMIT, DecisionRequest
from maos.errors import BadInput, DecisionRefused, StackError
from maos.statuses import ApprovalStatus
from maos.votes import progress_in_words
from sql.approvals import find_approval
from sql.session import system_session
from sql.votes import votes_on
from tasks.approvals import decide

Command = Callable[..., Any]

_REVIEWER = click.option("--as", "reviewer", required=True, metavar="EMAIL", help="Who decides.")
_CODE = click.option("--code", help="One-time code of the reviewer; asked for where the policy requires one.")
_SEEN = click.option(
    "--seen", metavar="DIGEST", help="Refuse if it is no longer what had this digest, or its beginning."
)


def reviewer_options(command: Command) -> Command:
    """Give a command who decides, and their one-time code."""
    return _REVIEWER(_CODE(command))


def _note(words: str, *, required: bool = True) -> Callable[[Command], Command]:
    return click.option("--note", required=required, help=words)


@click.command()
@click.argument("approval")
@reviewer_options
@_SEEN
@_note("Kept with the decision.", required=False)
@click.option("--choice", help="Where the approval offers choices: which.")
def approve(
    approval: str, reviewer: str, code: str | None, seen: str | None, note: str | None, choice: str | None
) -> None:
    """Approve an action, or a whole plan; its run goes on.

    \b
    Examples:
      maos approvals approve 3f2a --as reviewer@demo.example
      maos approvals approve 3f2a --as reviewer@demo.example --choice again
    """
    _decide(approval, Decision.APPROVE, reviewer=reviewer, code=code, seen=seen, note=note, choice=choice)


@click.command()
@click.argument("approval")
@reviewer_options
@_SEEN
@_note("Why; kept with the decision.")
def reject(approval: str, reviewer: str, code: str | None, seen: str | None, note: str) -> None:
    """Reject an action; its run ends as its plan says.

    \b
    Example:
      maos approvals reject 3f2a --as reviewer@demo.example --note "the title is wrong"
    """
    _decide(approval, Decision.REJECT, reviewer=reviewer, code=code, seen=seen, note=note)


@click.command()
@click.argument("approval")
@reviewer_options
@_SEEN
@_note("The answer that the agent gets.")
def respond(approval: str, reviewer: str, code: str | None, seen: str | None, note: str) -> None:
    """Answer an agent instead of running the action that it asks for.

    \b
    Example:
      maos approvals respond 3f2a --as reviewer@demo.example --note "They have been told by phone."
    """
    _decide(approval, Decision.RESPOND, reviewer=reviewer, code=code, seen=seen, note=note)


@click.command("request-changes")
@click.argument("approval")
@reviewer_options
@_SEEN
@_note("Which changes.")
def request_changes(approval: str, reviewer: str, code: str | None, seen: str | None, note: str) -> None:
    """Send an action back to the agent that asks for it.

    \b
    Example:
      maos approvals request-changes 3f2a --as reviewer@demo.example --note "shorter, and in French"
    """
    _decide(approval, Decision.REQUEST_CHANGES, reviewer=reviewer, code=code, seen=seen, note=note)


@click.command()
@click.argument("approval")
@reviewer_options
@_SEEN
@_note("Kept with the decision.", required=False)
@click.option("--set", "changes", multiple=True, metavar="NAME=JSON", help="A parameter as it shall be; repeatable.")
@click.option("--file", type=click.Path(path_type=Path), help="A JSON file with the parameters that change.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def edit(
    approval: str,
    reviewer: str,
    code: str | None,
    seen: str | None,
    note: str | None,
    changes: tuple[str, ...],
    file: Path | None,
    yes: bool,
) -> None:
    """Change an action's parameters and approve it so; without --set and --file, in $EDITOR.

    \b
    Examples:
      maos approvals edit 3f2a --as reviewer@demo.example
      maos approvals edit 3f2a --as reviewer@demo.example --set 'subject="Figures of May"' --yes
    """
    shown = _shown(approval, Decision.EDIT, seen)
    before = shown.payload["parameters"]
    changed = edited_parameters(before, changes=changes, file=file)
    print_difference(before, before | changed, title=f"{shown.title} Step {shown.step_id}:")
    if not yes:
        click.confirm("Approve it so?", abort=True)
    request = _request(shown, Decision.EDIT, reviewer=reviewer, code=code, note=note, edited=changed)
    _say(decide_and_resume(shown.id, request))


def _decide(text: str, decision: Decision, *, seen: str | None, **said: Any) -> None:
    shown = _shown(text, decision, seen)
    _say(decide_and_resume(shown.id, _request(shown, decision, **said)))


def _shown(text: str, decision: Decision, seen: str | None) -> Approval:
    """Return the approval that is decided, where that can be decided about it."""
    approval = read_approval(approval_id_of(text))
    if decision not in approval.decisions:
        allowed = " or ".join(each.value.replace("_", "-") for each in approval.decisions)
        raise BadInput("decision", decision.value.replace("_", "-"), f"{allowed}, of this approval")
    if seen and not approval.digest.startswith(seen.strip().lower()):
        raise DecisionRefused(str(approval.id), f"it is no longer what was seen: its digest is {approval.digest}")
    return approval


def _request(shown: Approval, decision: Decision, **said: Any) -> DecisionRequest:
    reviewer, note, code = said.pop("reviewer"), said.pop("note"), said.pop("code")
    return DecisionRequest(
        decision=decision,
        reviewer=reviewer.strip().lower(),
        note=checked_note(note),
        code=asked_code(code, shown),
        # What was read is what is decided: an edit in between is refused.
        seen=shown.digest,
        via=DecisionPath.COMMAND_LINE,
        **said,
    )


def checked_note(note: str | None) -> str | None:
    """Return a note that is short enough.

    Raises:
        BadInput: when it is not.
    """
    if note and len(note) > NOTE_LIMIT:
        raise BadInput("--note", f"{len(note)} characters", f"at most {NOTE_LIMIT}")
    return note


def asked_code(code: str | None, approval: Approval) -> str | None:
    """Return the one-time code, asked for where the policy takes one, none was given and somebody can answer."""
    if code or not approval.policy.codes_required or not at_terminal():
        return code
    return str(click.prompt("One-time code", hide_input=True)).strip()


def read_approval(approval_id: UUID) -> Approval:
    """Return an approval that exists."""
    with system_session() as session:
        found = find_approval(approval_id, session=session)
    if found is None:
        raise BadInput("approval", str(approval_id), "an id that exists")
    return found


def _say(approval: Approval) -> None:
    if approval.status is not ApprovalStatus.PENDING:
        click.echo(f"{approval.step_id}: {approval.status.value} by {approval.decided_by}; the run goes on")
        return
    with system_session() as session:
        votes = votes_on([approval.id], session=session)[approval.id]
    click.echo(f"{approval.step_id}: the vote counts, and more are needed; {progress_in_words(approval, votes)}")


def decide_and_resume(approval_id: UUID, request: DecisionRequest) -> Approval:
    """Decide in the ledger, then wake the run.

    Raises:
        DecisionRefused: when the decision is not accepted.
        StackError: when it was, but the run did not wake.
    """
    mend_runs([run_id] if (run_id := read_approval(approval_id).run_id) else [])
    try:
        decided = decide(approval_id, request)
    except DecisionRefused:
        _wake_if_decided_before(approval_id, request.reviewer)
        raise
    if not wake_run_of(decided, request.reviewer):
        reason = f"{decided.run_id} did not wake yet; the decision stands, give it again to wake the run"
        raise StackError("run", reason)
    return decided


def _wake_if_decided_before(approval_id: UUID, reviewer: str) -> None:
    # Whoever decided may have died before waking the run: repeating the command mends that.
    approval = read_approval(approval_id)
    if approval.decided_by == reviewer:
        wake_run_of(approval, reviewer)
