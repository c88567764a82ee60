"""`maos learning`: what decisions teach, the exemptions that come of it, and how people decide."""

from datetime import UTC, datetime, timedelta

import click

from console.ids import approval_id_of, exemption_id_of
from console.organisations import organisations
from console.output import Row, print_rows
from maos.decisions import NOTE_LIMIT
from maos.errors import BadInput
from maos.learning import Exemption, lacking
from maos.vigilance import Vigilance
from sql.exemptions import exemption_of, list_exemptions
from sql.session import org_session
from tasks.exemptions import withdraw_exemption
from tasks.learning import records_of, vigilance_report
from tasks.proposals import propose_exemptions
from tasks.rollbacks import roll_back

_RECORDS = (
    *("org", "team", "action", "risk", "shape"),
    *("decisions", "approvals", "bound", "deciders", "rollbacks", "lacks"),
)
_EXEMPTIONS = ("id", "org", "team", "action", "risk", "shape", "status", "used", "signed_by", "withdrawn_reason")
_LOOKS = (
    *("org", "person", "risk", "decisions", "at_once", "approval_rate", "median_seconds"),
    *("words_per_minute", "too_fast", "at_a_glance", "flagged"),
)
_PERSON = click.option("--as", "person", required=True, metavar="EMAIL", help="Who does it.")
_NOTE = click.option("--note", required=True, help="Why; kept for good.")
_ORG = click.option("--org", help="Only this organisation's.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def learning() -> None:
    """Show what decisions teach; propose exemptions, withdraw them, and mark what was wrong."""


@learning.command()
@_ORG
@click.option("--team", help="Only this team's.")
@_JSON
def show(org: str | None, team: str | None, as_json: bool) -> None:
    """Show how surely people approve actions that are alike, and what they lack for an exemption.

    \b
    Examples:
      maos learning show --org demo
      maos learning show --org demo --team sales --json
    """
    rows: list[Row] = [
        {
            "org": slug,
            **likeness.model_dump(mode="json"),
            **record.model_dump(mode="json"),
            "bound": f"{record.bound:.4f}",
            "deciders": record.deciders,
            "lacks": ", ".join(lacking(likeness, record)),
        }
        for org_id, slug in organisations(org)
        for likeness, record in records_of(org_id, team).items()
    ]
    print_rows(rows, as_json=as_json, columns=_RECORDS, title="decisions on actions that are alike")


@learning.command()
@_ORG
@_JSON
def propose(org: str | None, as_json: bool) -> None:
    """Propose every exemption that the decisions speak for; an owner signs each, or rejects it.

    Nothing is proposed where the policy has learning switched off, and nothing again that is open or was ended within
    30 days.

    \b
    Example:
      maos learning propose --org demo
    """
    rows = [
        {"approval": each.approval_id, **_plain(slug, each)}
        for org_id, slug in organisations(org)
        for each in propose_exemptions(org_id)
    ]
    print_rows(rows, as_json=as_json, columns=("approval", *_EXEMPTIONS[1:6]), title="proposed")


@learning.command("exemptions")
@_ORG
@_JSON
def exemptions(org: str | None, as_json: bool) -> None:
    """List what was proposed, signed and withdrawn, and how often it was used; the newest first.

    \b
    Example:
      maos learning exemptions --org demo
    """
    rows: list[Row] = []
    for org_id, slug in organisations(org):
        with org_session(org_id) as session:
            found = list_exemptions(org_id, session=session)
        rows += [{**_plain(slug, exemption_of(row)), "used": used, "based_on": row.based_on} for row, used in found]
    print_rows(rows, as_json=as_json, columns=_EXEMPTIONS, title="exemptions")


@learning.command()
@click.argument("exemption")
@_PERSON
@_NOTE
def withdraw(exemption: str, person: str, note: str) -> None:
    """Have actions asked about again from now on; owners only.

    \b
    Example:
      maos learning withdraw 3f2a --as owner@demo.example --note "new staff"
    """
    said = withdraw_exemption(exemption_id_of(exemption), person=_email(person), note=_checked(note))
    click.echo(f"asked about again: {said}")


@learning.command()
@click.argument("approval")
@_PERSON
@_NOTE
def rollback(approval: str, person: str, note: str) -> None:
    """Mark an action that was approved and carried out as wrong; what was learned of such actions ends.

    \b
    Example:
      maos learning rollback 3f2a --as reviewer@demo.example --note "the customer had left"
    """
    ended = roll_back(approval_id_of(approval), person=_email(person), note=_checked(note))
    click.echo("\n".join(["marked as wrong", *ended]))


@learning.command()
@_ORG
@click.option("--weeks", default=1, show_default=True, type=click.IntRange(1, 520), help="Of so many weeks until now.")
@_JSON
def vigilance(org: str | None, weeks: int, as_json: bool) -> None:
    """Show how long each person looks at what they decide, against how long reading it takes.

    \b
    Example:
      maos learning vigilance --org demo --weeks 4
    """
    until = datetime.now(UTC)
    found = [
        (slug, each)
        for org_id, slug in organisations(org)
        for each in vigilance_report(org_id, until - timedelta(weeks=weeks), until)
    ]
    rows = [_measured(slug, each) if as_json else _in_words(slug, each) for slug, each in found]
    print_rows(rows, as_json=as_json, columns=_LOOKS, title=f"decisions of {weeks} weeks")


def _plain(org: str, exemption: Exemption) -> dict[str, object]:
    return {
        "org": org,
        **exemption.likeness.model_dump(mode="json"),
        **exemption.model_dump(exclude={"likeness", "org_id"}),
        "status": _status(exemption),
    }


def _status(exemption: Exemption) -> str:
    if exemption.in_force:
        return "in force"
    return "withdrawn" if exemption.withdrawn_at else "proposed"


def _measured(org: str, each: Vigilance) -> Row:
    return {"org": org, **each.model_dump(mode="json"), "flagged": each.flagged}


def _in_words(org: str, each: Vigilance) -> Row:
    return {
        **_measured(org, each),
        "approval_rate": f"{each.approval_rate:.0%}",
        "median_seconds": f"{each.median_seconds:.0f}",
        "words_per_minute": "" if each.words_per_minute is None else f"{each.words_per_minute:.0f}",
        "at_a_glance": "" if each.at_a_glance is None else f"{each.at_a_glance:.0%}",
        "flagged": "faster than reading" if each.flagged else "",
    }


def _email(person: str) -> str:
    return person.strip().lower()


def _checked(note: str) -> str:
    if not 0 < len(note.strip()) <= NOTE_LIMIT:
        raise BadInput("--note", f"{len(note)} characters", f"1 to {NOTE_LIMIT}")
    return note.strip()
