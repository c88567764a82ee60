"""Two organisations full of rows, for tests of the walls between them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

from maos.audit import AuditEvent
from sql import audit, budgets, deletions, organizations
from sql.agent_memory import note
from sql.agent_tables import SharedMemory
from sql.effects import add_effect
from sql.invocations import add_vendor_detail
from sql.plan_revisions import Origin, add_revision
from sql.price_tables import PriceOverrideRow
from sql.rules import add_rules
from sql.session import org_session, system_session
from sql.tables import AgentActionVote, AgentInvocation, EffectRow, InvocationVendorDetail
from tests.rows import PLAN, add_approval, add_run, invocation

OWNERS = ("ann@{}.example", "eve@{}.example")


@dataclass(frozen=True)
class Tenant:
    """An organisation with one row, at least, in every table."""

    id: UUID
    slug: str
    run: UUID
    approval: UUID
    invocation: UUID
    effect: UUID
    deletion: UUID
    owner: str
    second_owner: str
    user: UUID


def fill(slug: str, *, status: str = "completed") -> Tenant:
    """Make an organisation with two owners, and a run that has a row in every table."""
    first, second = (address.format(slug) for address in OWNERS)
    with system_session() as session:
        org_id = organizations.ensure_organization(slug, slug.title(), session=session)
        for email in (first, second):
            organizations.ensure_member(email, email, "owner", org_id=org_id, session=session)
        user = organizations.ensure_person(first, first, session=session)
    now = datetime.now(UTC)
    ended = {"completed_at": now} if status == "completed" else {}
    run = add_run(org_id, status=status, initiator_id=first, title=f"Run of {slug}", **ended)
    approval = add_approval(
        org_id, run, status="approved", decided_by=second, decided_at=now, decided_via="form", identity_verified=False
    )
    row = invocation(org_id, run, "0.5")
    effect = EffectRow(
        org_id=org_id, run_id=run, step_id="act", kind="email", idempotency_key=f"{run}/act", digest="0" * 64
    )
    # Read before: what is in a session is read from the database again.
    call, effect_id = row.id, effect.id
    with org_session(org_id) as session:
        session.add(row)
        session.flush()
        budgets.add_run_cap(run, Decimal(5), org_id=org_id, session=session)
        session.flush()
        budgets.reserve(row, session=session)
        _end(row)
        budgets.settle(row, session=session)
        detail = InvocationVendorDetail(invocation_id=call, org_id=org_id, model="claude-opus-5-5")
        add_vendor_detail(detail, session=session)
        vote = {"user_id": user, "decision": "approve", "via": "form", "identity_verified": False}
        session.add(AgentActionVote(org_id=org_id, approval_id=approval, **vote))
        add_effect(effect, session=session)
        add_revision(run, PLAN, Origin("as requested"), revision=1, org_id=org_id, session=session)
        note(SharedMemory(org_id=org_id, run_id=run, key="k", value=slug, written_by="clerk"), session=session)
        add_rules(org_id, f"# {slug}", version=1, stored_by=first, session=session)
        agreed = {"model": "*", "rates": {}, "markup_percent": Decimal(5), "effective_from": now, "set_by": first}
        session.add(PriceOverrideRow(org_id=org_id, set_at=now, **agreed))
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
        invocation=call,
        effect=effect_id,
        deletion=deletion,
        owner=first,
        second_owner=second,
        user=user,
    )


def _end(row: AgentInvocation) -> None:
    row.status, row.output, row.output_summary = "completed", {"text": "done"}, "Done."
    row.cost_usd, row.completed_at = Decimal("0.25"), datetime.now(UTC)
