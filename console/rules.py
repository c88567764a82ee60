"""`maos rules`: check, show, store and compare rules, and rehearse them on past actions."""

from pathlib import Path
from uuid import UUID

import click

from console.organisations import known_org_id
from console.output import print_json, print_rows
from console.rules_files import read_document
from console.rules_rehearsal import rehearse
from maos.errors import BadInput
from maos.rules import RuleBook, Rules
from maos.rules_view import changes, facts_of
from sql.rules import rules_of_version
from sql.session import org_session
from tasks.rules import (
    book_with,
    check_organization_rules,
    check_project_rules,
    project_rules,
    rule_book,
    store_rules,
)

_FILE = click.Path(path_type=Path)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_ORG = click.option("--org", required=True, help="Slug of the organisation.")
_CHANGES = ("key", "before", "after", "direction")


@click.group()
def rules() -> None:
    """Check, show, store and compare rules; rehearse them on past actions."""


rules.add_command(rehearse)


@rules.command()
@click.argument("file", type=_FILE)
@click.option("--org", help="As this organisation's own document, which can only tighten the project's.")
@_JSON
def check(file: Path, org: str | None, as_json: bool) -> None:
    """Check a document and say what it would change; nothing is stored. Faults exit with 2.

    \b
    Examples:
      maos rules check rules.md --org demo
      maos rules check deployments/rules/CLAUDE.md     # as the project's own, against the one in force
    """
    text = read_document(file)
    if org is None:
        before, after = project_rules().rules, check_project_rules(text)
    else:
        check_organization_rules(text)
        book = rule_book(known_org_id(org))
        before, after = book.rules, book_with(text, version=book.organization_version + 1).rules
    _print_changes(before, after, as_json=as_json, title=f"{file} is accepted; it would change")


@rules.command()
@_ORG
@_JSON
def show(org: str, as_json: bool) -> None:
    """Show the rules that hold for an organisation, and where they come from.

    \b
    Example:
      maos rules show --org demo
    """
    book = rule_book(known_org_id(org))
    facts = facts_of(book.rules)
    if as_json:
        print_json({**book.model_dump(exclude={"rules"}), "org": org, "rules": facts})
        return
    print_rows([{"key": key, "value": value} for key, value in facts.items()], as_json=False, columns=("key", "value"))
    click.echo(f"\n{book.prose or 'Agents are told nothing.'}\n")
    click.echo(f"{_sources(book)}; digest {book.digest}")


@rules.command("set")
@click.argument("file", type=_FILE)
@_ORG
@click.option("--as", "person", required=True, metavar="EMAIL", help="Who stores it: an owner of the organisation.")
def set_(file: Path, org: str, person: str) -> None:
    """Store a document as the next version of an organisation's rules; every version is kept.

    \b
    Example:
      maos rules set rules.md --org demo --as owner@demo.example
    """
    version, new = store_rules(known_org_id(org), read_document(file), person=person.strip().lower())
    words = f"version {version} stored by {person.strip().lower()}" if new else f"unchanged; version {version} holds"
    click.echo(f"rules of {org}: {words}")


@rules.command()
@click.argument("file", type=_FILE, required=False)
@_ORG
@click.option("--from", "first", type=click.IntRange(0), metavar="VERSION", help="A stored version; 0: none.")
@click.option("--to", "second", type=click.IntRange(0), metavar="VERSION", help="Another stored version.")
@_JSON
def diff(file: Path | None, org: str, first: int | None, second: int | None, as_json: bool) -> None:
    """Compare the rules that hold with those under a document, or those under two stored versions, key by key.

    \b
    Examples:
      maos rules diff rules.md --org demo
      maos rules diff --org demo --from 1 --to 2
    """
    org_id = known_org_id(org)
    if (file is None) == (second is None):
        raise BadInput("FILE", str(file or ""), "either a file, or --to with the number of a stored version")
    before = rule_book(org_id) if first is None else _book_of_version(org_id, first, "--from")
    if file is None:
        after = _book_of_version(org_id, second or 0, "--to")
    else:
        after = book_with(read_document(file), version=before.organization_version + 1)
    _print_changes(before.rules, after.rules, as_json=as_json, title="changes")


def _book_of_version(org_id: UUID, version: int, option: str) -> RuleBook:
    if version == 0:
        return book_with(None, version=0)
    with org_session(org_id) as session:
        row = rules_of_version(org_id, version, session=session)
    if row is None:
        raise BadInput(option, str(version), "the number of a stored version; `maos rules show` names the newest")
    return book_with(row.document, version=version)


def _sources(book: RuleBook) -> str:
    own = f"version {book.organization_version}" if book.organization_version else "none"
    return f"project's rules {book.project_version[:12]}, organisation's: {own}"


def _print_changes(before: Rules, after: Rules, *, as_json: bool, title: str) -> None:
    rows = [change.model_dump(mode="json") for change in changes(before, after)]
    print_rows(rows, as_json=as_json, columns=_CHANGES, title=title)
