"""Reading the policy that holds for an organisation, and storing a new version of it."""

from functools import lru_cache
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from maos.audit import AuditEvent
from maos.autonomy import AutonomyLevel
from maos.errors import BadInput, PolicyRefused
from maos.policy import Policy, PolicyBook
from maos.policy_check import Members, member_faults, unknown_action_faults
from maos.policy_text import parse_policy
from sql import audit, organizations, past_actions, policies
from sql.policies import NewPolicy
from sql.session import org_session
from sql.tables import Organization
from tasks.catalogue import actions
from tasks.outages import outlasting
from tasks.secrecy import for_clients

_MAY_STORE_POLICIES = frozenset({"owner"})
_LONGEST_REASON = 2000


@outlasting
def policy_book(org_id: UUID) -> PolicyBook:
    """Return the policy that holds for an organisation now; documents that were read before are not parsed again.

    Raises:
        PolicyRefused: when the stored document cannot be read.
    """
    with org_session(org_id) as session:
        org, row = policies.newest_policy(org_id, session=session)
        return book_with(row.document, org, version=row.version) if row else book_with(None, org, version=0)


def book_with(document: str | None, org: Organization, *, version: int) -> PolicyBook:
    """Return the policy that would hold for an organisation with this document.

    What it leaves out of the organisation's own settings stays as it is: a document must not loosen by silence.

    Raises:
        PolicyRefused: when it cannot be read.
    """
    policy = _parsed(document) if document is not None else Policy()
    settings = {"autonomy": AutonomyLevel(org.autonomy), "read_only_exempt": org.read_only_exempt}
    unsaid = {name: value for name, value in settings.items() if name not in policy.model_fields_set}
    return PolicyBook(policy=policy.model_copy(update=unsaid), version=version)


def check_policy(document: str) -> Policy:
    """Return a policy that some organisation could store.

    Raises:
        PolicyRefused: with every fault: of its form and of names.
    """
    policy = parse_policy(document)
    if faults := unknown_action_faults(policy, actions()):
        raise PolicyRefused(faults)
    return policy


def check_policy_for(org_id: UUID, document: str) -> Policy:
    """Return a policy that this organisation could store.

    Raises:
        PolicyRefused: with every fault: of its form, of names, of people, and of approvals that nobody could give.
    """
    policy = parse_policy(document)
    faults = [*unknown_action_faults(policy, actions()), *member_faults(policy, _members_of(org_id))]
    if faults:
        raise PolicyRefused(faults)
    return policy


def _members_of(org_id: UUID) -> Members:
    with org_session(org_id) as session:
        return past_actions.members_of(org_id, session=session)


def store_policy(org_id: UUID, document: str, *, person: str, reason: str) -> tuple[int, bool]:
    """Store a document as the organisation's next version; return its number, and whether it is new.

    Raises:
        BadInput: when the person may not, gives no reason, or somebody else stores one at the same moment.
        PolicyRefused: when the document is not acceptable.
    """
    policy = check_policy_for(org_id, document)
    if not 0 < len(reason.strip()) <= _LONGEST_REASON:
        allowed = f"1 to {_LONGEST_REASON} characters that say why the policy is changed; kept with the version"
        raise BadInput("--reason", reason[:200], allowed)
    _check_person(person, org_id)
    said = policy.read_only_exempt if "read_only_exempt" in policy.model_fields_set else None
    why = for_clients(reason.strip(), limit=None)
    try:
        return _store(org_id, NewPolicy(document, said, why, person))
    except IntegrityError:
        raise BadInput("policy", "this version", "one that nobody else stores at the same moment; try again") from None


def _check_person(person: str, org_id: UUID) -> None:
    with org_session(org_id) as session:
        user = organizations.find_member(person, session=session)
        roles = organizations.roles_of(user.id, org_id=org_id, session=session) if user else frozenset()
    if not roles & _MAY_STORE_POLICIES:
        raise BadInput("--as", person, f"a member with role {' or '.join(sorted(_MAY_STORE_POLICIES))}")


def _store(org_id: UUID, policy: NewPolicy) -> tuple[int, bool]:
    with org_session(org_id) as session:
        _, newest = policies.newest_policy(org_id, session=session)
        if newest and newest.document == policy.document:
            return newest.version, False
        version = policies.next_version(org_id, session=session)
        row = policies.add_policy(org_id, policy, version=version, session=session)
        event = AuditEvent(
            event="policy.stored",
            actor=policy.stored_by,
            run_id=None,
            was_automatic=False,
            digest=row.digest,
            summary=f"version {version} of the policy stored by {policy.stored_by} (identity unverified): "
            f"{policy.reason}",
        )
        audit.append_audit(event, org_id=org_id, session=session)
    return version, True


@lru_cache(maxsize=64)
def _parsed(document: str) -> Policy:
    return parse_policy(document)
