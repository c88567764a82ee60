"""`maos approvals show`: all that the form shows, the votes, and what edits have changed."""

from collections.abc import Sequence

import click
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from console.ids import approval_id_of
from console.output import Row, console, print_json, table_of
from maos.actions import JsonObject
from maos.approval_view import as_markdown
from maos.approvals import Approval
from maos.countdown import is_urgent, time_left
from maos.differences import ABSENT, differences, in_words
from maos.statuses import ApprovalStatus
from maos.visible import visible
from sql.approval_tables import AgentActionEdit, AgentPendingAction
from sql.approvals import approval_of, approval_row, approvals_granted_by
from sql.session import system_session
from sql.tables import utc_now
from sql.votes import edits_of, vote_rows, votes_on

_DECIDED = ("decision", "choice", "decided_by", "decided_via", "decided_at", "identity_verified", "note", "consumed_at")
_VOTES = ("voted_at", "who", "decision", "revision", "stage", "identity_verified", "via", "note")
_GRANTED = ("id", "step_id", "action", "risk", "status", "consumed_at")


@click.command()
@click.argument("approval")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(approval: str, as_json: bool) -> None:
    """Show what would happen, in the words of the form, with votes and edits; the id may be shortened.

    \b
    Example:
      maos approvals show 3f2a
    """
    approval_id = approval_id_of(approval)
    with system_session() as session:
        row = approval_row(approval_id, session=session)
        votes = [{"who": who, **vote.model_dump()} for vote, who in vote_rows(approval_id, session=session)]
        counted = votes_on([approval_id], session=session)[approval_id]
        edits = edits_of(approval_id, session=session)
        granted = [each.model_dump() for each in approvals_granted_by(approval_id, session=session)]
    if as_json:
        print_json({**row.model_dump(), "votes": votes, "edits": [each.model_dump() for each in edits]})
        return
    _print_status(row)
    console().print(Markdown(visible(as_markdown(approval_of(row), counted))))
    for edit in edits:
        _print_edit(edit)
    _print_rows(votes, _VOTES, "votes")
    _print_rows(granted, _GRANTED, "steps that it covers")


def _print_status(row: AgentPendingAction) -> None:
    now = utc_now()
    if row.status == ApprovalStatus.PENDING:
        style = "bold red" if is_urgent(row.expires_at, now=now) else "yellow"
        console().print(Text(f"pending; to be decided {time_left(row.expires_at, now=now)}", style=style))
        console().print(f"digest {row.digest}", markup=False, highlight=False)
        return
    facts: list[Row] = [{"": name, " ": value} for name in _DECIDED if (value := getattr(row, name)) is not None]
    console().print(table_of(facts, columns=("", " "), title=row.status))


def _print_rows(rows: Sequence[Row], columns: Sequence[str], title: str) -> None:
    if rows:
        console().print(table_of(rows, columns=columns, title=title))


def _print_edit(edit: AgentActionEdit) -> None:
    title = f"edit {edit.revision - 1}, by {edit.edited_by} at {edit.edited_at:%Y-%m-%d %H:%M} UTC"
    print_difference(_parameters(edit.before), _parameters(edit.after), title=title)


def _parameters(payload: JsonObject) -> JsonObject:
    found: JsonObject = payload["parameters"]
    return found


def print_difference(before: JsonObject, after: JsonObject, *, title: str) -> None:
    """Print field by field what is changed, in red as it was and in green as it is."""
    table = Table()
    for column in ("parameter", "before", "after"):
        table.add_column(column, overflow="fold")
    for path, (old, new) in differences([before, after]):
        table.add_row(Text(visible(path)), _changed(old, "red"), _changed(new, "green"))
    # Not as the table's own: a narrow table would break it into pieces.
    console().print(Text(visible(title), style="bold"))
    console().print(table)


def _changed(value: object, style: str) -> Text:
    return Text("(none)", style="dim") if value is ABSENT else Text(in_words(value), style=style)


def print_approval(approval: Approval) -> None:
    """Print what the form shows of an approval."""
    console().print(Markdown(visible(as_markdown(approval))))
