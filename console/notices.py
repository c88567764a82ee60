"""`maos notices`: who is told of approvals and budgets, by which way, and what became of it."""

from uuid import UUID, uuid4

import click

from console.organisations import org_id_of
from console.output import print_rows
from console.prefect_api import require_server
from maos.errors import BadInput
from maos.notice_text import Message, Told
from maos.notices import Channel, NoticeKind, Recipient, Route
from maos.risk import RiskLevel
from sql.notice_routes import list_routes
from sql.notice_tables import ApprovalNotice
from sql.notices import list_notices
from sql.session import system_session
from sql.tables import utc_now
from tasks.notice_channels import Parcel, key_of, send
from tasks.notice_routes import add_route, remove_route

_LIST = ("created_at", "org", "kind", "about", "channel", "address", "urgent", "due_at", "sent_at", "error")
_ROUTES = ("id", "org", "role", "person", "minimum_risk", "channel", "target")
_TEST_SECONDS = 20.0
_CHANNEL = click.option(
    "--channel", required=True, type=click.Choice([each.value for each in Channel]), help="By which way."
)


@click.group()
def notices() -> None:
    """Say who is told of approvals and budgets, and how; list what was told."""


@notices.command("list")
@click.option("--org", help="Only this organisation's.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="At most this many.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(org: str | None, limit: int, as_json: bool) -> None:
    """List notices, the newest first: sent, dropped because they were outdated, or due.

    \b
    Example:
      maos notices list --org demo
    """
    with system_session() as session:
        found = list_notices(org_id=org_id_of(org), limit=limit, session=session)
    rows = [{"org": slug, "about": _about(row), **row.model_dump()} for row, slug in found]
    print_rows(rows, as_json=as_json, columns=_LIST, title="notices")


def _about(row: ApprovalNotice) -> str:
    return f"{row.percent} % of budget {row.budget_id}" if row.budget_id else f"approval {row.approval_id}"


@notices.command()
@_CHANNEL
@click.option("--target", required=True, help="An email address, or the name of a block.")
def test(channel: str, target: str) -> None:
    """Send a message that tells of nothing, to see that it arrives.

    \b
    Examples:
      maos notices test --channel email --target reviewer@demo.example
      maos notices test --channel slack --target approvals
    """
    require_server()
    told = Told(
        kind=NoticeKind.REQUESTED,
        approval=uuid4(),
        run=None,
        step="(none)",
        title="A test of this channel; there is nothing to decide.",
        risk=RiskLevel.LOW,
        asked_by="an operator",
        decide_before=utc_now(),
        page="maos notices test",
    )
    message, recipient = Message(org="test", told=(told,)), Recipient(channel=Channel(channel), address=target)
    send(Parcel(message, recipient, key_of([told.approval]), _TEST_SECONDS))
    click.echo(f"sent to {target}")


@notices.group()
def route() -> None:
    """Say by which way a person or a role is told; without a route, people are told by email."""


@route.command()
@click.option("--org", required=True, help="Of this organisation.")
@click.option("--role", help="Everybody of this role.")
@click.option("--person", metavar="EMAIL", help="This person alone.")
@click.option(
    "--from-risk",
    default=RiskLevel.LOW.value,
    show_default=True,
    type=click.Choice([each.value for each in RiskLevel]),
    help="Only of what has at least this risk; thresholds of budgets have medium.",
)
@_CHANNEL
@click.option("--target", help="The name of a block, or an address; email goes to each person's own without it.")
def add(org: str, role: str | None, person: str | None, from_risk: str, channel: str, target: str | None) -> None:
    """Add a route.

    The addresses of Slack channels and webhooks are secrets: they are fields of blocks, which a route only names.

    \b
    Examples:
      maos notices route add --org demo --role reviewer --channel slack --target approvals
      maos notices route add --org demo --person owner@demo.example --from-risk high --channel email
    """
    org_id = org_id_of(org)
    if org_id is None or (role is None) == (person is None):
        raise BadInput("--role, --person", f"{role}, {person}", "one of the two")
    wanted = Route(role=role, minimum_risk=RiskLevel(from_risk), channel=Channel(channel), target=target)
    click.echo(f"route {add_route(wanted, person=person, org_id=org_id)} added")


@route.command("list")
@click.option("--org", help="Only this organisation's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_routes_(org: str | None, as_json: bool) -> None:
    """List routes.

    \b
    Example:
      maos notices route list --org demo
    """
    with system_session() as session:
        found = list_routes(org_id=org_id_of(org), session=session)
    rows = [{"org": slug, "person": person, **row.model_dump()} for row, slug, person in found]
    print_rows(rows, as_json=as_json, columns=_ROUTES, title="routes")


@route.command()
@click.argument("route_id", metavar="ID", type=click.UUID)
def remove(route_id: UUID) -> None:
    """Remove a route; what was written for it before is still delivered.

    \b
    Example:
      maos notices route remove 8f14e45f-ceea-467f-a9d5-1a7b0c1d2e3f
    """
    remove_route(route_id)
    click.echo(f"route {route_id} removed")
