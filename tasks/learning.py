"""What an action is an example of, what was learned of such actions, and how people decide them."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from maos.approvals import Approval, Decision
from maos.learning import BY_EXEMPTION, REMEMBERED, Exemption, Likeness, TrackRecord, exempts, may_be_exempt
from maos.parameter_shape import closed_fields, shape_of
from maos.statuses import ApprovalStatus
from maos.vigilance import Vigilance, vigilance_as_markdown, vigilance_of
from sql import exemptions, learning, organizations, vigilance
from sql.approval_tables import AgentPendingAction
from sql.session import org_session, system_session
from sql.tables import utc_now
from tasks.payloads import Payload


def likeness_of(payload: Payload) -> Likeness:
    """Return what decisions on a step say something about: other steps of this likeness, and no others."""
    closed, inside = closed_fields(payload.spec.parameters), payload.policies.policy.inside
    shape = shape_of(payload.parameters, payload.facts, closed=closed, inside=inside)
    return Likeness(team=payload.run.team, action=payload.step.action, shape=shape, risk=payload.risk)


def exemption_for(payload: Payload, likeness: Likeness, *, session: Session) -> Exemption | None:
    """Return the exemption that lets a step run unasked, held until the transaction ends; mostly there is none."""
    asks, level = payload.spec.always_asks, payload.level
    if not payload.policies.policy.learning or not may_be_exempt(likeness.risk, level=level, always_asks=asks):
        return None
    exemption = exemptions.hold_in_force(likeness, org_id=payload.run.org_id, session=session)
    if exemption is None or not exempts(exemption, likeness, level=level, always_asks=asks):
        return None
    return exemption


def add_example(row: AgentPendingAction, payload: Payload, *, before: Approval | None, session: Session) -> None:
    """Write the approval of a step with what it is an example of, approved already where an exemption covers it.

    Args:
        before: the newest approval of the step; where an exemption had approved that, a person is asked now.
    """
    likeness = likeness_of(payload)
    used_before = before is not None and before.decided_via == BY_EXEMPTION
    exemption = None if used_before else exemption_for(payload, likeness, session=session)
    if exemption:
        row.status, row.decision = ApprovalStatus.APPROVED, Decision.APPROVE
        row.decided_by, row.decided_via, row.decided_at = exemption.name, BY_EXEMPTION, utc_now()
    session.add(row)
    session.flush()
    learning.add_likeness(
        row.id,
        likeness,
        org_id=row.org_id,
        exemption_id=exemption.id if exemption else None,
        session=session,
    )


def still_exempt(payload: Payload, approval: Approval, *, session: Session) -> bool:
    """Say whether the exemption that approved a step covers it now, and go on doing so until the transaction ends."""
    exemption = exemption_for(payload, likeness_of(payload), session=session)
    return exemption is not None and exemption.name == approval.decided_by


def records_of(org_id: UUID, team: str | None = None) -> dict[Likeness, TrackRecord]:
    """Return how an organisation's people have decided what is still remembered, by likeness.

    Args:
        team: only this team's.
    """
    with org_session(org_id) as session:
        records = learning.records_since(org_id, utc_now() - REMEMBERED, session=session)
    return {likeness: record for likeness, record in records.items() if team in {None, likeness.team}}


def vigilance_report(org_id: UUID, since: datetime, until: datetime) -> tuple[Vigilance, ...]:
    """Return how each person of an organisation has decided in a period."""
    with org_session(org_id) as session:
        return vigilance_of(vigilance.looks_between(org_id, since, until, session=session))


def weekly_vigilance(since: datetime, until: datetime) -> dict[str, str]:
    """Return the report of each organisation in which somebody decided anything, in Markdown, by its slug."""
    with system_session() as session:
        known = organizations.active_organizations(session=session)
    found = {slug: vigilance_report(org_id, since, until) for org_id, slug in known}
    return {slug: vigilance_as_markdown(slug, each, since=since, until=until) for slug, each in found.items() if each}
