"""`maos reviewers`: one-time codes of the people who decide."""

import io
import os
from pathlib import Path

import click

from console.organisations import org_id_of
from console.output import Row, print_rows
from maos.approval_policy import DecidingRole
from maos.errors import BadInput, IdentityRefused
from maos.one_time_codes import step_begins
from sql.reviewer_codes import list_reviewers
from sql.reviewer_tables import ReviewerCode
from sql.session import system_session
from tasks.enrolments import Offer, enrol, offer_codes, rekey, revoke

_TRIES = 3
_PRIVATE = 0o600
_PIXELS = 8
_LIST = ("org", "email", "roles", "enrolled_at", "enrolled_by", "last_used_at", "wrong_codes", "locked_until")
_AS = click.option(
    "--as", "person", required=True, metavar="EMAIL", help="Who does it: an owner of an organisation of theirs."
)


@click.group()
def reviewers() -> None:
    """Give people one-time codes, list and revoke them."""


@reviewers.command()
@click.argument("email")
@_AS
@click.option("--replace", is_flag=True, help="In place of the codes that the person has, which end.")
@click.option("--png", type=click.Path(path_type=Path), help="Write the picture into this file too; delete it then.")
@click.option("--no-confirm", is_flag=True, help="Enrol without asking for the first code.")
def enroll(email: str, person: str, replace: bool, png: Path | None, no_confirm: bool) -> None:
    """Show a person the secret of their one-time codes, once, and enrol them when their app gives the right code.

    Any authenticator app will do. Nothing is written before the first code is right; the secret is kept encrypted and
    cannot be shown again.

    \b
    Examples:
      maos reviewers enroll reviewer@demo.example --as owner@demo.example
      maos reviewers enroll reviewer@demo.example --as owner@demo.example --replace --png code.png
    """
    if png and (png.exists() or not png.parent.is_dir()):
        raise BadInput("--png", str(png), "a file that does not exist yet, in a folder that does")
    offer = offer_codes(email, by=person, replace=replace)
    _show(offer, png)
    if no_confirm:
        enrol(offer, None)
    else:
        _confirm(offer)
    click.echo(f"{offer.email} is enrolled; decisions take --code, or the field of the form")


@reviewers.command("list")
@click.option("--org", help="Only this organisation's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(org: str | None, as_json: bool) -> None:
    """List the people who may decide or have codes: who is enrolled, who is locked.

    \b
    Example:
      maos reviewers list --org demo
    """
    with system_session() as session:
        found = list_reviewers(frozenset(DecidingRole), org_id=org_id_of(org), session=session)
    rows: list[Row] = [
        {"org": slug, "email": email, "roles": ", ".join(roles), **_enrolment(row)} for slug, email, roles, row in found
    ]
    print_rows(rows, as_json=as_json, columns=_LIST, title="reviewers")


@reviewers.command("revoke")
@click.argument("email")
@_AS
def revoke_(email: str, person: str) -> None:
    """Take a person's codes away, such as when the device is lost.

    \b
    Example:
      maos reviewers revoke reviewer@demo.example --as owner@demo.example
    """
    revoke(email, by=person)
    click.echo(f"the codes of {email.strip().lower()} are revoked")


@reviewers.command("rekey")
def rekey_() -> None:
    """Encrypt every secret with the first of the keys in MAOS_ENCRYPTION_KEY, so that the others can be given up.

    \b
    Example:
      MAOS_ENCRYPTION_KEY="$NEW,$OLD" maos reviewers rekey
    """
    click.echo(f"secrets encrypted with the first key: {rekey()}")


def _show(offer: Offer, png: Path | None) -> None:
    import segno

    code = segno.make(offer.address)
    drawn = io.StringIO()
    code.terminal(drawn, compact=True)
    click.echo(f"One-time codes of {offer.email}: scan this with an authenticator app. It is shown once.\n")
    # In colours of its own: light modules must be light on a light terminal too.
    for line in drawn.getvalue().splitlines():
        click.echo(click.style(line, fg="bright_white", bg="black"))
    groups = " ".join(offer.secret[at : at + 4] for at in range(0, len(offer.secret), 4))
    click.echo(f"\nOr type the secret (time based, six digits): {groups}\n")
    if png:
        picture = io.BytesIO()
        code.save(picture, kind="png", scale=_PIXELS)
        # Never over another file, and read by nobody else: the picture is the secret.
        with os.fdopen(os.open(png, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "wb") as file:
            file.write(picture.getvalue())


def _confirm(offer: Offer) -> None:
    for left in reversed(range(_TRIES)):
        try:
            enrol(offer, click.prompt("The code that the app shows now"))
        except IdentityRefused as refused:
            if not left:
                raise
            click.echo(f"{refused.reason} Try again.", err=True)
        else:
            return


def _enrolment(row: ReviewerCode | None) -> Row:
    if row is None:
        return {"enrolled_at": None}
    return {
        **row.model_dump(include={"enrolled_at", "enrolled_by", "wrong_codes", "last_wrong_at", "locked_until"}),
        "last_used_at": step_begins(row.last_used_step) if row.last_used_step else None,
    }
