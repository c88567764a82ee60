"""Reading the rules that hold for an organisation, and storing an organisation's own."""

from functools import lru_cache
from pathlib import Path
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from maos.audit import AuditEvent
from maos.errors import BadInput, RulesRefused
from maos.roles import Permission
from maos.rules import RuleBook, Rules, RulesDocument, book_of
from maos.rules_check import unknown_actions
from maos.rules_merge import looser_faults, tightened
from maos.rules_text import parse_rules
from maos.settings import load_settings
from sql import audit, rules
from sql.rules_tables import OrganizationRules
from sql.session import org_session
from tasks.catalogue import actions
from tasks.outages import outlasting
from tasks.people import check_permission

PROJECT = "the project's file of rules (MAOS_RULES_FILE)"
ORGANIZATION = "the organisation's document of rules"


def rule_book(org_id: UUID) -> RuleBook:
    """Return the rules that hold for an organisation now: no plan is made and no step is run without them.

    One statement on the database; documents that were read before are not parsed again.

    Raises:
        RulesRefused: when the project's file or the organisation's document cannot be read.
    """
    project = _read_file(load_settings().rules_file)
    row = _newest(org_id)
    if faults := unknown_actions(_parsed(project, PROJECT).rules, actions()):
        raise RulesRefused(PROJECT, faults)
    return _bound(project, row.document if row else None, row.version if row else 0)


@outlasting
def _newest(org_id: UUID) -> OrganizationRules | None:
    with org_session(org_id) as session:
        return rules.newest_rules(org_id, session=session)


def project_rules() -> RulesDocument:
    """Return the project's document.

    Raises:
        RulesRefused: when it cannot be read.
    """
    return _parsed(_read_file(load_settings().rules_file), PROJECT)


def book_with(document: str | None, *, version: int) -> RuleBook:
    """Return the rules that would hold for an organisation with this document.

    Raises:
        RulesRefused: when either document cannot be read.
    """
    return _bound(_read_file(load_settings().rules_file), document, version)


def check_project_rules(document: str) -> Rules:
    """Return the rules of a document that could be the project's.

    Raises:
        RulesRefused: with every fault: of its form and of names.
    """
    parsed = parse_rules(document, source="the document")
    if faults := unknown_actions(parsed.rules, actions()):
        raise RulesRefused("the document", faults)
    return parsed.rules


def check_organization_rules(document: str) -> Rules:
    """Return the rules of a document that an organisation could store.

    Raises:
        RulesRefused: with every fault: of its form, of names, and of what would be looser than the project's rules.
    """
    parsed = parse_rules(document, source=ORGANIZATION)
    faults = [*unknown_actions(parsed.rules, actions()), *looser_faults(project_rules().rules, parsed.rules)]
    if faults:
        raise RulesRefused(ORGANIZATION, faults)
    return parsed.rules


def store_rules(org_id: UUID, document: str, *, person: str) -> tuple[int, bool]:
    """Store a document as the organisation's next version; return its number, and whether it is new.

    Raises:
        BadInput: when the person may not, or somebody else stores one at the same moment.
        RulesRefused: when the document is not acceptable.
    """
    check_organization_rules(document)
    try:
        return _store(org_id, document, person)
    except IntegrityError:
        raise BadInput("rules", "this version", "one that nobody else stores at the same moment; try again") from None


def _store(org_id: UUID, document: str, person: str) -> tuple[int, bool]:
    with org_session(org_id) as session:
        check_permission(person, Permission.STORE_RULES, org_id=org_id, session=session)
        newest = rules.newest_rules(org_id, session=session)
        if newest and newest.document == document:
            return newest.version, False
        version = rules.next_version(org_id, session=session)
        row = rules.add_rules(org_id, document, version=version, stored_by=person, session=session)
        event = AuditEvent(
            event="rules.stored",
            actor=person,
            run_id=None,
            was_automatic=False,
            digest=row.digest,
            summary=f"version {row.version} of the organisation's rules stored by {person} (identity unverified)",
        )
        audit.append_audit(event, org_id=org_id, session=session)
    return version, True


def _read_file(file: Path) -> str:
    try:
        return file.read_bytes().decode()
    except OSError as error:
        raise RulesRefused(PROJECT, [f"{file}: it cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise RulesRefused(PROJECT, [f"{file}: it is not UTF-8: byte {error.start}"]) from None


@lru_cache(maxsize=64)
def _parsed(text: str, source: str) -> RulesDocument:
    return parse_rules(text, source=source)


@lru_cache(maxsize=64)
def _bound(project: str, document: str | None, version: int) -> RuleBook:
    base = _parsed(project, PROJECT)
    own = _parsed(document, ORGANIZATION) if document is not None else None
    return book_of(base, own, version=version, rules=tightened(base.rules, own.rules) if own else base.rules)
