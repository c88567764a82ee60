"""`maos approvals`: what waits for a person, the most urgent first; the commands that show and decide are beside it."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from console.ids import approval_id_of
from console.lazy_group import LazyGroup
from console.organisations import org_id_of
from console.output import RISK_COLOURS, console, print_json
from maos.countdown import is_urgent, time_left
from maos.risk import RiskLevel
from maos.statuses import ApprovalStatus
from maos.visible import visible
from maos.votes import progress_in_numbers
from sql.approval_queue import Listed, QueueFilter, list_approvals
from sql.session import system_session
from sql.tables import utc_now
from sql.votes import votes_on

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_COLUMNS = ("id", "org", "run", "step", "action", "risk", "asked by", "decided by", "so far", "decide")
_NEVER_WRAPPED = frozenset({"id", "run", "risk", "so far", "decide"})


class Duration(click.ParamType[timedelta, Any]):
    """A time span as people write it: 30m, 2h, 1d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the span."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"(\d{1,4})\s*([mhd])", str(value).strip().lower())
        if found is None:
            self.fail(f"{value!r} is no time span; allowed: a number with m, h or d, such as 2h", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


_ELSEWHERE = {
    "show": "console.approval_view:show",
    "expire": "console.expiry:expire",
    "approve": "console.decisions:approve",
    "reject": "console.decisions:reject",
    "edit": "console.decisions:edit",
    "respond": "console.decisions:respond",
    "request-changes": "console.decisions:request_changes",
    "bulk": "console.bulk:bulk",
}


@click.group(cls=LazyGroup, places=_ELSEWHERE)
def approvals() -> None:
    """List, show and decide what waits for a person."""


@approvals.command("list")
@click.option("--org", help="Only this organisation's.")
@click.option("--team", help="Only of runs of this team.")
@click.option("--risk", type=click.Choice([risk.value for risk in RiskLevel]), help="Only of this risk.")
@click.option("--entrypoint", help="Only of runs of this entrypoint.")
@click.option("--expiring-within", type=Duration(), metavar="SPAN", help="Only what expires so soon: 30m, 2h, 1d.")
@click.option(
    "--status",
    type=click.Choice([status.value for status in ApprovalStatus] + ["all"]),
    default="pending",
    show_default=True,
    help="Only in this status.",
)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="At most this many.")
@click.option("--after", metavar="ID", help="The last one of the page before.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(
    org: str | None,
    team: str | None,
    risk: str | None,
    entrypoint: str | None,
    expiring_within: timedelta | None,
    status: str,
    limit: int,
    after: str | None,
    as_json: bool,
) -> None:
    """List what waits: the riskiest first, then the oldest. What is decided is listed the newest first.

    \b
    Examples:
      maos approvals list
      maos approvals list --org demo --risk high --expiring-within 2h
      maos approvals list --status all --json
    """
    wanted = QueueFilter(
        org_id=org_id_of(org),
        status=None if status == "all" else ApprovalStatus(status),
        risk=RiskLevel(risk) if risk else None,
        team=team,
        entrypoint=_entrypoint(entrypoint),
        expiring_within=expiring_within,
    )
    _print(wanted, after=after, limit=limit, as_json=as_json)


def _entrypoint(text: str | None) -> str | None:
    if not text:
        return None
    # Here: it loads all that plans are made of.
    from tasks.entrypoints import ENTRYPOINTS

    name = text.replace("-", "_")
    if name not in ENTRYPOINTS:
        raise click.BadParameter(f"{text!r}; allowed: {', '.join(ENTRYPOINTS)}", param_hint="--entrypoint")
    return name


def _print(wanted: QueueFilter, *, after: str | None, limit: int, as_json: bool) -> None:
    last = approval_id_of(after) if after else None
    with system_session() as session:
        found = list_approvals(wanted, after=last, limit=limit, session=session)
        votes = votes_on([each.row.id for each in found], session=session)
    progress = [progress_in_numbers(each.approval, votes[each.row.id]) for each in found]
    if as_json:
        print_json([_as_json(each, so_far) for each, so_far in zip(found, progress, strict=True)])
    elif not found:
        click.echo("approvals: none")
    else:
        console().print(_table(found, progress, now=utc_now()))
        if len(found) == limit:
            click.echo(f"There may be more: --after {str(found[-1].row.id)[:8]}")


def _as_json(each: Listed, so_far: str) -> dict[str, object]:
    more = {"org": each.org, "entrypoint": each.entrypoint, "deciders": each.approval.policy.in_words}
    return {**more, "progress": so_far, **each.row.model_dump()}


def _table(found: Sequence[Listed], progress: Sequence[str], *, now: datetime) -> Table:
    table = Table(title="approvals", title_justify="left", title_style="bold")
    for column in _COLUMNS:
        table.add_column(column, no_wrap=column in _NEVER_WRAPPED)
    for each, so_far in zip(found, progress, strict=True):
        approval = each.approval
        cells = (
            str(approval.id)[:8],
            each.org,
            str(approval.run_id or "")[:8],
            approval.step_id,
            approval.action,
            Text(approval.risk.value, style=RISK_COLOURS[approval.risk]),
            approval.initiator,
            approval.policy.in_words,
            so_far,
            _when(each, now=now),
        )
        table.add_row(*(cell if isinstance(cell, Text) else Text(visible(cell)) for cell in cells))
    return table


def _when(each: Listed, *, now: datetime) -> Text:
    if each.row.status != ApprovalStatus.PENDING:
        return Text(each.row.status)
    until = each.row.expires_at
    return Text(time_left(until, now=now), style="bold red" if is_urgent(until, now=now) else "")
