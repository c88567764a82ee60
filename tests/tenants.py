"""Two organisations full of rows, for tests of the walls between them."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from maos.audit import AuditEvent
from maos.billing_months import BillingMonth
from maos.budgets import EVER, BudgetKey, BudgetPeriod, BudgetScope, BudgetUnit
from maos.learning import Likeness
from maos.mail_outcomes import MailOutcome
from maos.notices import Channel, NoticeKind, Recipient, Route
from maos.risk import RiskLevel
from sql import (
    audit,
    budget_limits,
    budget_shares,
    budgets,
    deletions,
    exemptions,
    learning,
    notice_routes,
    notices,
    organizations,
    policies,
    retention,
    workflows,
)
from sql.agent_memory import note
from sql.agent_tables import SharedMemory
from sql.approval_tables import AgentActionEdit, AgentActionVote
from sql.approvals import find_approval
from sql.budget_shares import Counter
from sql.effects import add_effect
from sql.invocations import add_vendor_detail
from sql.mail_tables import MailMessage
from sql.plan_revisions import Origin, add_revision
from sql.policies import NewPolicy
from sql.price_tables import PriceOverrideRow
from sql.reviewer_tables import ReviewerCode
from sql.rules import add_rules
from sql.session import org_session, system_session
from sql.tables import AgentInvocation, EffectRow, InvocationVendorDetail, utc_now
from sql.workflows import NewWorkflow
from tasks.billing import close_month
from tests.billed_calls import MAY
from tests.rows import PLAN, add_approval, add_run, invocation

LIKENESS = Likeness(team=None, action="act", shape="{}", risk=RiskLevel.LOW)
TOKENS_USED = 1000
MAILBOX = "/var/mail/desk"
BILLED_MONTH = BillingMonth.read("2026-05")
WORKFLOW = "name: small\ntitle: Small\ngoal: Do it.\ninputs: {type: object}\noutput: {type: object}\n"
OWNERS = ("ann@{}.example", "eve@{}.example")


@dataclass(frozen=True)
class Tenant:
    """An organisation with one row, at least, in every table."""

    id: UUID
    slug: str
    run: UUID
    approval: UUID
    waiting: UUID
    invocation: UUID
    effect: UUID
    message: UUID
    exemption: UUID
    route: UUID
    notice: UUID
    enrolment: UUID
    deletion: UUID
    owner: str
    second_owner: str
    user: UUID
    budget: UUID
    hold: UUID


def fill(slug: str, *, status: str = "completed") -> Tenant:
    """Make an organisation with two owners, and a run that has a row in every table."""
    first, second = (address.format(slug) for address in OWNERS)
    with system_session() as session:
        org_id = organizations.ensure_organization(slug, slug.title(), session=session)
        for email in (first, second):
            organizations.ensure_member(email, email, "owner", org_id=org_id, session=session)
        user = organizations.ensure_person(first, first, session=session)
        route = notice_routes.add_route(Route(role="owner", channel=Channel.EMAIL), org_id=org_id, session=session)
        enrolment = ReviewerCode(user_id=user, sealed_secret="gAAAA" + "A" * 60, enrolled_by=second)
        session.add(enrolment)
        enrolment_id = enrolment.id
    assert route
    ended = {"completed_at": utc_now()} if status == "completed" else {}
    named = {"initiator_id": first, "title": f"Run of {slug}", "rehearsal": False}
    run = add_run(org_id, status=status, **named, **ended)
    approval = _decided(org_id, run, user, second)
    budget, hold = _limited(org_id), _kept(org_id, first)
    call = _paid(org_id, run)
    close_month(org_id, BILLED_MONTH)
    effect, message = _acted(org_id, run), _mailed(org_id, run)
    _written(org_id, first)
    waiting = add_approval(org_id, run, step_id="next", risk=RiskLevel.CRITICAL, remind_at=utc_now())
    exemption, notice = _learned(org_id, approval, waiting), _told(org_id, waiting, first)
    with org_session(org_id) as session:
        event = AuditEvent(event="run.completed", actor=first, run_id=run, summary=f"{slug} is done")
        audit.append_audit(event, org_id=org_id, session=session)
    deletion = uuid4()
    with system_session(actor=first) as session:
        deletions.add_request(deletion, first, folder="/nowhere", digest="0" * 64, org_id=org_id, session=session)
    return Tenant(
        id=org_id,
        slug=slug,
        run=run,
        approval=approval,
        waiting=waiting,
        invocation=call,
        effect=effect,
        message=message,
        exemption=exemption,
        route=route,
        notice=notice,
        enrolment=enrolment_id,
        deletion=deletion,
        owner=first,
        second_owner=second,
        user=user,
        budget=budget,
        hold=hold,
    )


def _decided(org_id: UUID, run: UUID, user: UUID, decider: str) -> UUID:
    """Add an approval that was edited, voted on, approved and marked as wrong."""
    said = {"decided_by": decider, "decided_at": utc_now(), "decided_via": "form", "identity_verified": False}
    edited = {"decision": "approve", "revision": 2, "edited": {"to": "x"}}
    approval = add_approval(org_id, run, status="approved", **edited, **said)
    vote = {"user_id": user, "decision": "approve", "via": "form", "identity_verified": False, "revision": 2}
    edit = {"before": {}, "after": {"to": "x"}, "digest_before": "1" * 64, "digest_after": "0" * 64}
    with org_session(org_id) as session:
        session.add(AgentActionVote(org_id=org_id, approval_id=approval, **vote))
        session.add(AgentActionEdit(org_id=org_id, approval_id=approval, revision=2, edited_by=decider, **edit))
        learning.add_rollback(approval, org_id=org_id, marked_by=decider, note="wrong", session=session)
    return approval


def _limited(org_id: UUID) -> UUID:
    """Add a budget of the organisation, with a period that has begun."""
    key = BudgetKey(scope=BudgetScope.ORG, owner=str(org_id), unit=BudgetUnit.USD, period=BudgetPeriod.TOTAL)
    with org_session(org_id) as session:
        budget = budget_limits.add_budget(key, Decimal(50), (80,), org_id=org_id, session=session).id
        session.flush()
        budget_shares.lock(Counter(budget, EVER, org_id), session=session)
    return budget


def _kept(org_id: UUID, owner: str) -> UUID:
    """Add a retention, and a hold that was released."""
    with org_session(org_id) as session:
        retention.add_retention(org_id, 24, person=owner, reason="by contract", session=session)
        hold = retention.add_hold(org_id, person=owner, reason="case 4711", session=session).id
        retention.release_hold(hold, person=owner, reason="closed", session=session)
    return hold


def _paid(org_id: UUID, run: UUID) -> UUID:
    """Add a call with its price, in a month that can be closed."""
    row = invocation(org_id, run, "0.5")
    row.started_at = MAY
    # Read before: what is in a session is read from the database again.
    call = row.id
    with org_session(org_id) as session, pytest.MonkeyPatch.context() as clock:
        clock.setattr(budgets, "utc_now", lambda: MAY)
        session.add(row)
        session.flush()
        budgets.add_run_caps(run, budgets.RunCaps(usd=Decimal(5)), org_id=org_id, session=session)
        session.flush()
        budgets.reserve(row, session=session)
        _end(row)
        budgets.settle(row, session=session)
        detail = InvocationVendorDetail(invocation_id=call, org_id=org_id, model="claude-opus-5-5")
        add_vendor_detail(detail, session=session)
    return call


def _acted(org_id: UUID, run: UUID) -> UUID:
    """Add an effect, a plan and a note of an agent."""
    effect = EffectRow(
        org_id=org_id, run_id=run, step_id="act", kind="email", idempotency_key=f"{run}/act", digest="0" * 64
    )
    effect_id = effect.id
    with org_session(org_id) as session:
        add_effect(effect, session=session)
        add_revision(run, PLAN, Origin("as requested"), revision=1, org_id=org_id, session=session)
        note(SharedMemory(org_id=org_id, run_id=run, key="k", value=str(run), written_by="clerk"), session=session)
    return effect_id


def _mailed(org_id: UUID, run: UUID) -> UUID:
    """Add a message that the run has, one that it left and one that it has settled."""
    taken = {"org_id": org_id, "run_id": run, "mailbox": MAILBOX, "rehearsal": False}
    message = MailMessage(**taken, key="1", number=1)
    message_id = message.id
    with org_session(org_id) as session:
        session.add(message)
        session.add(MailMessage(**taken, key="2", number=2, status="free"))
        settled = {"status": "settled", "outcome": MailOutcome.IGNORED, "settled_at": utc_now()}
        session.add(MailMessage(**taken, key="3", number=3, **settled))
    return message_id


def _written(org_id: UUID, owner: str) -> None:
    """Add what owners agree on: rules, a policy, prices, a workflow."""
    now = utc_now()
    agreed = {"model": "*", "rates": {}, "markup_percent": Decimal(5), "effective_from": now, "set_by": owner}
    with org_session(org_id) as session:
        add_rules(org_id, f"# {owner}", version=1, stored_by=owner, session=session)
        policy = NewPolicy("autonomy: supervised", read_only_exempt=None, reason="first", stored_by=owner)
        policies.add_policy(org_id, policy, version=1, session=session)
        workflows.add_workflow(org_id, NewWorkflow("small", "Small", WORKFLOW, owner), version=1, session=session)
        session.add(PriceOverrideRow(org_id=org_id, set_at=now, **agreed))


def _learned(org_id: UUID, approval: UUID, waiting: UUID) -> UUID:
    """Add what an approval is an example of, and the proposal of an exemption, which waits for its signature."""
    with org_session(org_id) as session:
        learning.add_likeness(approval, LIKENESS, org_id=org_id, exemption_id=None, session=session)
        added = exemptions.add_exemption(LIKENESS, org_id=org_id, approval_id=waiting, based_on={}, session=session)
    return added.id


def _told(org_id: UUID, waiting: UUID, address: str) -> UUID:
    """Add a notice that is to be sent."""
    with org_session(org_id) as session:
        approval = find_approval(waiting, session=session)
        assert approval
        recipient = Recipient(channel=Channel.EMAIL, address=address)
        row = notices.notice_row(NoticeKind.REQUESTED, approval, recipient, reminder=0)
        notices.add_notices([row], session=session)
    return row.id


def _end(row: AgentInvocation) -> None:
    row.status, row.output, row.output_summary = "completed", {"text": "done"}, "Done."
    row.cost_usd, row.completed_at, row.input_tokens = Decimal("0.25"), MAY, TOKENS_USED
