"""Histories of decisions, written as the application would have written them over months."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from maos.approvals import Decision, DecisionPath
from maos.decisions import DecisionRequest
from maos.learning import Exemption, Likeness
from maos.risk import RiskLevel
from sql.approval_tables import AgentActionVote, AgentPendingAction
from sql.exemptions import list_exemptions
from sql.learning_tables import ApprovalLikeness
from sql.organizations import ensure_member, find_member
from sql.session import org_session, system_session
from sql.tables import AgentInvocation, utc_now
from tasks.approvals import decide
from tasks.policies import store_policy
from tasks.proposals import propose_exemptions
from tests.rows import add_run

ANN, BOB = "ann@demo.example", "bob@demo.example"
OWNER, REVIEWER = "owner@demo.example", "reviewer@demo.example"
LIKENESS = Likeness(team=None, action="send_email", shape="body=text", risk=RiskLevel.MEDIUM)

# What a note of the bench is an example of.
NOTE = Likeness(team=None, action="note_medium", shape="text=text", risk=RiskLevel.MEDIUM)


def learn_notes(org_id: UUID) -> None:
    """Switch learning on, and add 200 approvals of notes."""
    store_policy(org_id, "learning: true\n", person=OWNER, reason="we want to learn")
    decided(org_id, 200, likeness=NOTE)


def signed_exemption(org_id: UUID) -> Exemption:
    """Propose the one exemption that there is reason for, and have an owner sign it."""
    (proposed,) = propose_exemptions(org_id)
    answer(proposed.approval_id, OWNER)
    return proposed


def answer(approval_id: UUID, person: str = REVIEWER, decision: Decision = Decision.APPROVE) -> None:
    """Decide an approval on the command line."""
    request = DecisionRequest(decision=decision, reviewer=person, note="because", via=DecisionPath.COMMAND_LINE)
    decide(approval_id, request)


def ended_because(org_id: UUID) -> str | None:
    """Return why the one exemption that there is has ended, if it has."""
    with org_session(org_id) as session:
        ((row, _),) = list_exemptions(org_id, session=session)
    return row.withdrawn_reason


def add_people(org_id: UUID, *emails: str, role: str = "reviewer") -> None:
    """Add members of an organisation."""
    with system_session() as session:
        for email in emails:
            ensure_member(email, email.partition("@")[0].title(), role, org_id=org_id, session=session)


def decided(
    org_id: UUID,
    number: int,
    *,
    people: Sequence[str] = (ANN, BOB),
    decision: Decision = Decision.APPROVE,
    via: DecisionPath = DecisionPath.COMMAND_LINE,
    likeness: Likeness = LIKENESS,
    asked_at: datetime | None = None,
    rehearsal: bool = False,
    attempt: dict[str, Any] | None = None,
) -> list[UUID]:
    """Add decisions by these people in turns, with what became of them; return the ids of the approvals.

    Args:
        attempt: what differs of the attempt that each approval led to; by default it is completed.
    """
    add_people(org_id, *people)
    run_id = add_run(org_id, rehearsal=rehearsal)
    asked_at = asked_at or utc_now() - timedelta(days=7)
    approvals = [
        _approval(org_id, run_id, index, people[index % len(people)], decision, via, likeness, asked_at)
        for index in range(number)
    ]
    with org_session(org_id) as session:
        users = [user.id for email in people if (user := find_member(email, session=session))]
        session.add_all(approvals)
        session.flush()
        for index, row in enumerate(approvals):
            session.add(_vote(row, users[index % len(users)], asked_at + timedelta(minutes=index + 1)))
            session.add(ApprovalLikeness(approval_id=row.id, org_id=org_id, **likeness.model_dump()))
            if decision.approves:
                session.add(_attempt(row, rehearsal, attempt or {}))
    return [row.id for row in approvals]


def _vote(row: AgentPendingAction, user_id: UUID, at: datetime) -> AgentActionVote:
    return AgentActionVote(
        org_id=row.org_id,
        approval_id=row.id,
        user_id=user_id,
        decision=row.decision or "",
        via=row.decided_via or "",
        identity_verified=False,
        voted_at=at,
    )


def _approval(
    org_id: UUID,
    run_id: UUID,
    index: int,
    person: str,
    decision: Decision,
    via: DecisionPath,
    likeness: Likeness,
    asked_at: datetime,
) -> AgentPendingAction:
    return AgentPendingAction(
        id=uuid4(),
        org_id=org_id,
        run_id=run_id,
        step_id=f"act{index}",
        action=likeness.action,
        engine_type="internal_service",
        title="Act.",
        preview="x" * 1428,
        payload={},
        digest="0" * 64,
        risk=likeness.risk,
        cost_ceiling_usd=0,
        policy={},
        initiator_id="author@demo.example",
        started_at=asked_at,
        expires_at=asked_at + timedelta(days=1),
        status="approved" if decision.approves else "rejected",
        decision=decision,
        decided_by=person,
        decided_via=via,
        decided_at=asked_at + timedelta(minutes=1),
        consumed_at=asked_at + timedelta(minutes=2) if decision.approves else None,
    )


def _attempt(row: AgentPendingAction, rehearsal: bool, changes: dict[str, Any]) -> AgentInvocation:
    fields: dict[str, Any] = {
        "org_id": row.org_id,
        "run_id": row.run_id,
        "step_id": row.step_id,
        "attempt": 1,
        "agent_name": "clerk",
        "engine_type": "internal_service",
        "action": row.action,
        "approval_id": row.id,
        "rehearsal": rehearsal,
        "input_summary": "Act.",
        "status": "completed",
        "started_at": row.started_at,
        "completed_at": row.started_at + timedelta(minutes=3),
    }
    fields |= changes
    return AgentInvocation(**fields, output={} if fields["status"] == "completed" else None)
