"""Deciding an approval: the one function in which every path ends."""

from collections.abc import Mapping
from contextlib import suppress
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from maos.approvals import Approval, Decision
from maos.decisions import DecisionRequest, Refusal, Rule, refusal_of
from maos.errors import DecisionRefused, IdentityRefused, MaosError
from sql import approvals, votes
from sql.session import org_session, system_session
from tasks.edits import edited
from tasks.reviewers import Identity, identify
from tasks.secrecy import for_clients
from tasks.votes import cast, existing, refuse


def decide(approval_id: UUID, request: DecisionRequest, *, identity: Identity | None = None) -> Approval:
    """Decide an approval, or vote on it: every path ends here, and of any number of callers one decides.

    Args:
        identity: of the reviewer, where it was established for several decisions at once.

    Returns:
        The approval as it stands then: still pending where it takes further votes.

    Raises:
        DecisionRefused: naming the rule that refuses, or who decided first and when.
    """
    request = _as_kept(request)
    identity = identity or identify_for({approval_id: request}, org_id=_organisation_of(approval_id))
    changed = _edited(approval_id, request, identity) if request.decision is Decision.EDIT else None
    with org_session(identity.org_id) as session:
        answer = cast({approval_id: request.seen}, request, identity, changed, session=session)[approval_id]
    if isinstance(answer, DecisionRefused):
        raise answer
    return answer


def decide_alike(
    seen: Mapping[UUID, str], request: DecisionRequest, *, identity: Identity
) -> dict[UUID, Approval | MaosError]:
    """Decide approvals of an organisation alike, by the rules of `decide`: what refuses one is that one's alone.

    In one transaction, which takes a small part of the time of one for each. Each by itself where that fails, and
    where they are edited.

    Args:
        seen: the digest of what was shown of each approval.
    """
    if request.decision is not Decision.EDIT:
        with suppress(MaosError, SQLAlchemyError), org_session(identity.org_id) as session:
            return dict(cast(seen, _as_kept(request), identity, None, session=session))
    return {name: _alone(name, request, digest, identity) for name, digest in seen.items()}


def _alone(approval_id: UUID, request: DecisionRequest, digest: str, identity: Identity) -> Approval | MaosError:
    try:
        return decide(approval_id, request.model_copy(update={"seen": digest}), identity=identity)
    except MaosError as error:
        return error
    except SQLAlchemyError as error:
        return DecisionRefused(str(approval_id), f"the database does not take it ({type(error).__name__})")


def _as_kept(request: DecisionRequest) -> DecisionRequest:
    return request.model_copy(update={"note": for_clients(request.note, limit=None) if request.note else None})


def _organisation_of(approval_id: UUID) -> UUID:
    with system_session() as session:
        return existing(approval_id, approvals.find_approval(approval_id, session=session)).org_id


def identify_for(requests: Mapping[UUID, DecisionRequest], *, org_id: UUID) -> Identity:
    """Establish once who it is that asks to decide approvals of an organisation.

    A one-time code is used up only where it can serve: not where everything is refused for other reasons.

    Args:
        requests: at least one, by approval; all of the same reviewer, with the same code.

    Raises:
        DecisionRefused: when the code does not prove it.
    """
    asked = next(iter(requests.values()))
    known = _identity(asked.model_copy(update={"code": None}), org_id=org_id)
    if not asked.code:
        return known
    proved = known.reviewer.model_copy(update={"verified": True})
    with org_session(org_id) as session:
        given = votes.votes_on(requests.keys(), session=session)
        now = approvals.database_time(session=session)
        found = {each.id: each for each in approvals.find_approvals(requests.keys(), session=session)}
    counting = [
        name
        for name, request in requests.items()
        if name in found and refusal_of(found[name], request, proved, votes=given[name], now=now) is None
    ]
    return _identity(asked, org_id=org_id) if counting else known


def _identity(request: DecisionRequest, *, org_id: UUID) -> Identity:
    try:
        return identify(request.reviewer, request.code, org_id=org_id)
    except IdentityRefused as refused:
        rule = Rule.CODE if request.code else Rule.MEMBER
        words = f"{refused.person} {refused.reason}"
        raise DecisionRefused("of this reviewer", str(Refusal(rule=rule, words=words))) from None


def _edited(approval_id: UUID, request: DecisionRequest, identity: Identity) -> Approval:
    with org_session(identity.org_id) as session:
        approval = existing(approval_id, approvals.find_approval(approval_id, session=session))
        given = votes.votes_on([approval.id], session=session)[approval.id]
        now = approvals.database_time(session=session)
    refuse(approval.id, refusal_of(approval, request, identity.reviewer, votes=given, now=now))
    return edited(approval, request)
