"""`maos policy`: show, check, store and compare what runs unasked, what raises a risk, and who approves."""

from pathlib import Path
from uuid import UUID

import click

from console.organisations import known_org_id, org_id_of
from console.output import console, print_json, print_rows, table_of
from console.rules_files import read_document
from maos.errors import BadInput
from maos.policy import Policy, PolicyBook
from maos.policy_view import approvals_of, autonomy_rows, changes, facts_of, rules_in_words
from sql.policies import newest_policy, policies_of, policy_of_version
from sql.policy_tables import OrganizationPolicy
from sql.session import org_session
from tasks.policies import book_with, check_policy, check_policy_for, policy_book, store_policy

_FILE = click.Path(path_type=Path)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_ORG = click.option("--org", required=True, help="Slug of the organisation.")
_CHANGES = ("key", "before", "after")
_RISKS = ("low", "medium", "high", "critical")
_APPROVALS = ("risk", "approved_by", "approvals", "rejected_by", "expires_after", "on_expiry", "reminders")
_HISTORY = ("version", "stored_at", "stored_by", "reason", "digest")


@click.group()
def policy() -> None:
    """Show, check, store and compare policies: autonomy, teams, risk rules, approvals."""


@policy.command()
@click.option("--org", help="Slug of the organisation; left out: what holds where nothing has been decided.")
@_JSON
def show(org: str | None, as_json: bool) -> None:
    """Show who waits for whom: the autonomy table, teams, what raises a risk, and how approvals are asked for.

    \b
    Examples:
      maos policy show
      maos policy show --org demo --json
    """
    org_id = org_id_of(org)
    book = policy_book(org_id) if org_id else PolicyBook()
    stored = _stored(org_id) if org_id else None
    if as_json:
        facts = {"org": org, "version": book.version, **(_about(stored) if stored else {})}
        asked = {"autonomy_table": autonomy_rows(), "risk_rules": rules_in_words(book.policy)}
        print_json(
            {**facts, "policy": book.policy.model_dump(mode="json"), **asked, "approvals": approvals_of(book.policy)}
        )
        return
    _print(book.policy)
    click.echo(_source(org, book, stored))


@policy.command()
@click.argument("file", type=_FILE)
@click.option("--org", help="Also against the members of this organisation, and the policy that it has.")
@_JSON
def check(file: Path, org: str | None, as_json: bool) -> None:
    """Check a document and say what it would change; nothing is stored. Faults exit with 2.

    \b
    Example:
      maos policy check examples/policy.yaml --org demo
    """
    text, org_id = read_document(file), org_id_of(org)
    if org_id is None:
        before, after = Policy(), check_policy(text)
    else:
        check_policy_for(org_id, text)
        before, after = policy_book(org_id).policy, _with(org_id, text)
    _print_changes(before, after, as_json=as_json, title=f"{file} is accepted; it would change")


@policy.command("set")
@click.argument("file", type=_FILE)
@_ORG
@click.option("--as", "person", required=True, metavar="EMAIL", help="Who stores it: an owner of the organisation.")
@click.option("--reason", required=True, help="Why; kept with the version.")
def set_(file: Path, org: str, person: str, reason: str) -> None:
    """Store a document as the next version of an organisation's policy; every version is kept.

    \b
    Example:
      maos policy set examples/policy.yaml --org demo --as owner@demo.example --reason "two people for money"
    """
    who = person.strip().lower()
    version, new = store_policy(known_org_id(org), read_document(file), person=who, reason=reason)
    click.echo(f"policy of {org}: {f'version {version} stored by {who}' if new else f'unchanged; {version} holds'}")


@policy.command()
@click.argument("file", type=_FILE, required=False)
@_ORG
@click.option("--from", "first", type=click.IntRange(0), metavar="VERSION", help="A stored version; 0: none.")
@click.option("--to", "second", type=click.IntRange(0), metavar="VERSION", help="Another stored version.")
@_JSON
def diff(file: Path | None, org: str, first: int | None, second: int | None, as_json: bool) -> None:
    """Compare the policy that holds with a document, or two stored versions, key by key.

    \b
    Examples:
      maos policy diff policy.yaml --org demo
      maos policy diff --org demo --from 1 --to 2
    """
    org_id = known_org_id(org)
    if (file is None) == (second is None):
        raise BadInput("FILE", str(file or ""), "either a file, or --to with the number of a stored version")
    before = policy_book(org_id).policy if first is None else _of_version(org_id, first, "--from")
    after = _of_version(org_id, second or 0, "--to") if file is None else _with(org_id, read_document(file))
    _print_changes(before, after, as_json=as_json, title="changes")


@policy.command()
@_ORG
@_JSON
def history(org: str, as_json: bool) -> None:
    """List every version of an organisation's policy: who stored it when, and why.

    \b
    Example:
      maos policy history --org demo
    """
    org_id = known_org_id(org)
    with org_session(org_id) as session:
        rows = [row.model_dump(exclude={"org_id", "read_only_exempt"}) for row in policies_of(org_id, session=session)]
    print_rows(rows, as_json=as_json, columns=_HISTORY, title=f"policies of {org}")


def _stored(org_id: UUID) -> OrganizationPolicy | None:
    with org_session(org_id) as session:
        return newest_policy(org_id, session=session)[1]


def _with(org_id: UUID, document: str | None) -> Policy:
    with org_session(org_id) as session:
        org, _ = newest_policy(org_id, session=session)
        return book_with(document, org, version=0).policy


def _of_version(org_id: UUID, version: int, option: str) -> Policy:
    if version == 0:
        return _with(org_id, None)
    with org_session(org_id) as session:
        row = policy_of_version(org_id, version, session=session)
    if row is None:
        raise BadInput(option, str(version), "the number of a stored version; `maos policy history` lists them")
    return _with(org_id, row.document)


def _about(stored: OrganizationPolicy) -> dict[str, object]:
    return stored.model_dump(include={"stored_by", "stored_at", "reason", "digest"})


def _print(shown: Policy) -> None:
    out = console()
    out.print(table_of(autonomy_rows(), columns=("autonomy", *_RISKS), title="what waits for a person"))
    settings = [{"setting": key, "value": value} for key, value in facts_of(shown).items() if "." not in key]
    out.print(table_of(settings, columns=("setting", "value"), title="settings"))
    teams = [{"team": name, "autonomy": shown.level_of(name).value} for name in sorted(shown.teams)]
    out.print(table_of(teams, columns=("team", "autonomy"), title="teams") if teams else "teams: none")
    out.print(table_of(rules_in_words(shown), columns=("of", "rule"), title="what raises a risk to"))
    out.print(table_of(approvals_of(shown), columns=_APPROVALS, title="who approves"))


def _source(org: str | None, book: PolicyBook, stored: OrganizationPolicy | None) -> str:
    if org is None:
        return "What holds where an organisation has decided nothing."
    if stored is None:
        return f"{org} has stored no policy: its settings and the defaults hold."
    when = f"{stored.stored_at:%Y-%m-%d %H:%M} UTC"
    return f"version {book.version} of {org}, stored by {stored.stored_by} at {when}: {stored.reason}"


def _print_changes(before: Policy, after: Policy, *, as_json: bool, title: str) -> None:
    rows = [change.model_dump() for change in changes(before, after)]
    print_rows(rows, as_json=as_json, columns=_CHANGES, title=title)
