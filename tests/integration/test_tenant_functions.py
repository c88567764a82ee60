"""Every function of `sql/` that takes a session, called as one organisation with another's ids: nothing comes of it.

A function without a case here fails the test: whoever adds one says what a stranger gets from it.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.exc import IntegrityError, NoResultFound, ProgrammingError
from sqlmodel import Session, col

import sql
from maos.approvals import Approval, Decision, DecisionPath
from maos.audit import AuditEvent
from maos.billing_months import BillingMonth
from maos.budgets import EVER, BudgetKey, BudgetPeriod, BudgetScope, BudgetUnit
from maos.corrections import PastCall
from maos.decisions import DecisionRequest
from maos.effects import EffectStatus
from maos.errors import BadInput
from maos.mail import ReadMail
from maos.mail_outcomes import MailOutcome
from maos.notices import Channel, NoticeKind, Recipient, Route
from maos.price_overrides import PriceOverride
from maos.runs import GateKind
from maos.statuses import ApprovalStatus, InvocationStatus, RunStatus
from maos.usage_view import UsageDimension
from maos.vendor_usage import Measure
from maos.votes import Vote
from sql.agent_tables import SharedMemory
from sql.approval_queue import QueueFilter
from sql.approval_tables import AgentPendingAction
from sql.approvals import find_approval
from sql.attempts import Begin
from sql.audit_rows import AuditFilter
from sql.budget_shares import Counter
from sql.budgets import RunCaps
from sql.corrections import CallFilter
from sql.exemptions import find_exemption
from sql.invocation_list import InvocationFilter
from sql.invocations import Verdict
from sql.mail_messages import Claimant
from sql.notice_tables import ApprovalNotice
from sql.notices import notice_row
from sql.organizations import find_organization
from sql.plan_revisions import Origin
from sql.policies import NewPolicy
from sql.retention_tables import AuditArchive
from sql.runs import RunFilter, find_run
from sql.session import org_session, owner_session, system_session
from sql.tables import AgentInvocation, EffectRow, InvocationVendorDetail, OrchestratorRun
from sql.usage import UsageFilter
from sql.workflows import NewWorkflow
from tasks.billing import statement_of
from tasks.exports import manifest_now
from tests.gates import rows
from tests.rows import PLAN, invocation
from tests.tenants import BILLED_MONTH, LIKENESS, MAILBOX, TOKENS_USED, WORKFLOW, Tenant, fill

NOW = datetime(2026, 11, 20, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
LONG = timedelta(hours=1)
LATER_MONTH = BillingMonth.read("2026-06")
OTHER_LIKENESS = LIKENESS.model_copy(update={"action": "other"})


class Known:
    """What a test of one function has of the organisation whose ids it uses.

    Args:
        org_id: in whose name rows are to be written, where that is not the organisation itself.
    """

    def __init__(self, tenant: Tenant, *, org_id: UUID | None = None) -> None:
        self.tenant, self.org_id = tenant, org_id or tenant.id
        with system_session() as session:
            run = find_run(tenant.run, session=session)
            approval = find_approval(tenant.approval, session=session)
            waiting = find_approval(tenant.waiting, session=session)
            exemption = find_exemption(tenant.exemption, session=session)
        assert run
        assert approval
        assert waiting
        assert exemption
        self.run, self.exemption = run.model_copy(update={"org_id": self.org_id}), exemption
        self.approval = self._written_as(approval)
        self.waiting = self._written_as(waiting)
        self.edited = self.waiting.model_copy(update={"revision": 2, "digest": "1" * 64, "edited": {"to": "y"}})
        self.counter = Counter(tenant.budget, EVER, self.org_id)
        self.budget = BudgetKey(
            scope=BudgetScope.ORG, owner=str(tenant.id), unit=BudgetUnit.USD, period=BudgetPeriod.TOTAL
        )
        self.new_budget = self.budget.model_copy(update={"unit": BudgetUnit.CALLS})
        self.statement = statement_of(tenant.id, BILLED_MONTH)
        self.new_workflow = NewWorkflow("small", "Small", WORKFLOW, "x")
        self.vote = Vote(email=tenant.owner, approves=False)
        self.recipient = Recipient(channel=Channel.EMAIL, address=tenant.owner)
        self.request = DecisionRequest(
            decision=Decision.REJECT, reviewer="x@y.example", note="no", via=DecisionPath.FORM
        )
        self.call = PastCall.model_validate(
            {
                "invocation_id": tenant.invocation,
                "org_id": tenant.id,
                "org": tenant.slug,
                "run_id": tenant.run,
                "step_id": "act",
                "attempt": 1,
                "engine": "claude_cli",
                "started_at": NOW,
                "status": "completed",
                "error_kind": None,
                "model": None,
                "raw_usage": None,
                "price_snapshot": None,
                "settled_usd": Decimal(0),
                "corrected_usd": Decimal(0),
            }
        )

    def _written_as(self, approval: Approval) -> Approval:
        return approval.model_copy(update={"org_id": self.org_id})

    def archive(self) -> AuditArchive:
        """Return a stretch of the other one's chain."""
        digest = {"previous_hash": "0" * 64, "last_hash": "0" * 64}
        stretch = {"month": LONG_AGO.date(), "first_sequence": 1, "last_sequence": 1, "detached_at": NOW}
        return AuditArchive(org_id=self.org_id, **stretch, **digest)

    def notice(self) -> ApprovalNotice:
        """Return a notice of the other one's approval."""
        return notice_row(NoticeKind.REMINDER, self.waiting, self.recipient, reminder=1)

    def threshold(self) -> ApprovalNotice:
        """Return a notice of the other one's budget."""
        return ApprovalNotice(
            **self.recipient.model_dump(),
            org_id=self.org_id,
            kind=NoticeKind.THRESHOLD,
            budget_id=self.tenant.budget,
            period_start=EVER,
            percent=50,
            urgent=False,
        )

    def effect(self) -> EffectRow:
        """Return an effect that is to be attached to the other one's run."""
        return EffectRow(
            org_id=self.org_id, run_id=self.run.id, step_id="new", kind="email", idempotency_key="x", digest="0" * 64
        )

    def begin(self) -> Begin:
        """Return an attempt that is to be attached to the other one's run."""
        row = self.reservation()
        names = {each.name for each in fields(Begin)} - {"attempt", "digest", "rules_version", "status"}
        known = row.model_dump(include=names)
        return Begin(**known, attempt=9, digest="0" * 64, rules_version="x")

    def memory(self) -> SharedMemory:
        """Return a note that is to be attached to the other one's run."""
        return SharedMemory(org_id=self.org_id, run_id=self.run.id, key="new", value="stolen", written_by="x")

    def detail(self) -> InvocationVendorDetail:
        """Return vendor details that are to be attached to the other one's call."""
        return InvocationVendorDetail(invocation_id=uuid4(), org_id=self.org_id)

    def reservation(self) -> AgentInvocation:
        """Return a call of the other one's run, for which money is to be set aside."""
        return invocation(self.org_id, self.run.id, "0.1", step="new")

    @property
    def claimant(self) -> Claimant:
        """The other one's run, as it takes messages."""
        return Claimant(org_id=self.org_id, run_id=self.run.id, mailbox=MAILBOX, rehearsal=False)

    @property
    def limits(self) -> list[tuple[object, ...]]:
        """The other one's budget, as it is asked for before a call."""
        return [(self.tenant.budget, "org", "usd", "total", "UTC")]

    def override(self) -> PriceOverride:
        """Return prices that are to be agreed with the other one."""
        return PriceOverride(
            id=uuid4(),
            model="*",
            rates={},
            markup_percent=Decimal(1),
            effective_from=datetime.now(UTC) + LONG,
            set_by="x@y.example",
            set_at=datetime.now(UTC),
        )


# By module and name: what is called with the ids of the first organisation, `k`, in a session `s` of the second.
CASES: dict[str, Callable[[Any, Known, Session], object]] = {
    "agent_memory.count": lambda f, k, s: f(k.run.id, session=s),
    "agent_memory.keys": lambda f, k, s: f(k.run.id, session=s),
    "agent_memory.note": lambda f, k, s: f(k.memory(), session=s),
    "agent_memory.noted": lambda f, k, s: f(k.run.id, "k", session=s),
    "approval_queue.alike": lambda f, k, s: f(k.waiting, critical=True, limit=10, session=s),
    "approval_queue.count_critical": lambda f, k, s: f(k.waiting, session=s),
    "approval_queue.list_approvals": lambda f, k, s: f(QueueFilter(org_id=k.org_id), limit=10, session=s),
    "approvals.approval_ids_like": lambda f, k, s: f(str(k.approval.id), session=s),
    "approvals.approval_row": lambda f, k, s: f(k.approval.id, session=s),
    "approvals.approvals_granted_by": lambda f, k, s: f(k.approval.id, session=s),
    "approvals.approvals_of_run": lambda f, k, s: f(k.run.id, session=s),
    "approvals.cancel_pending": lambda f, k, s: f(k.run.id, "x", session=s),
    "approvals.consume": lambda f, k, s: f(k.approval.id, k.approval.digest, session=s),
    # The same for everybody.
    "approvals.database_time": lambda f, k, s: not f(session=s),  # noqa: ARG005
    "approvals.decide_pending": lambda f, k, s: f(
        [k.waiting.id], k.request, ApprovalStatus.REJECTED, verified=False, session=s
    ),
    "approvals.edit": lambda f, k, s: f(k.waiting, k.edited, session=s),
    "approvals.edited_parameters": lambda f, k, s: f(k.run.id, "act", session=s),
    "approvals.escalate": lambda f, k, s: f(k.waiting, expires_at=NOW, remind_at=None, session=s),
    "approvals.expire": lambda f, k, s: f([k.waiting.id], session=s),
    "approvals.find_approval": lambda f, k, s: f(k.approval.id, session=s),
    "approvals.find_approvals": lambda f, k, s: f([k.approval.id, k.waiting.id], session=s),
    "approvals.lock_approvals": lambda f, k, s: f([k.approval.id, k.waiting.id], session=s),
    "approvals.lock_due": lambda f, k, s: f(k.run.id, limit=10, session=s),
    "approvals.newest_approval": lambda f, k, s: f(k.run.id, "act", session=s),
    "approvals.newest_approvals": lambda f, k, s: f(k.run.id, session=s),
    "approvals.open_stage": lambda f, k, s: f(k.waiting, 1, expires_at=NOW, remind_at=None, session=s),
    "approvals.rounds_of_changes": lambda f, k, s: f(k.waiting, session=s),
    "approvals.supersede": lambda f, k, s: f(k.approval.id, session=s),
    "approvals.withdraw": lambda f, k, s: f(col(AgentPendingAction.id) == k.waiting.id, "x", session=s),
    "attempts.begin": lambda f, k, s: f(k.begin(), session=s),
    "audit.append_all": lambda f, k, s: f([_event(k)], org_id=k.org_id, session=s),
    "audit.append_audit": lambda f, k, s: f(_event(k), org_id=k.org_id, session=s),
    "audit.documents": lambda f, k, s: list(f(k.org_id, session=s)),
    "audit.head_of": lambda f, k, s: f(k.org_id, session=s)[0],
    "audit.organizations_with_audit": lambda f, k, s: [row for row in f(session=s) if row[0] == k.tenant.id],
    "audit.verify_chain": lambda f, k, s: f(k.org_id, session=s)[0],
    "audit_rows.audit_of_run": lambda f, k, s: f(k.run.id, session=s),
    "audit_rows.audit_row": lambda f, k, s: f(k.org_id, 1, session=s),
    "audit_rows.list_audit": lambda f, k, s: f(AuditFilter(org_id=k.org_id), session=s),
    "audit_rows.sequences_between": lambda f, k, s: f(k.org_id, since=None, until=None, session=s),
    "budget_limits.add_budget": lambda f, k, s: f(k.new_budget, Decimal(1), (), org_id=k.org_id, session=s),
    "budget_limits.claim_notice": lambda f, k, s: f(k.tenant.budget, EVER, 99, session=s),
    "budget_limits.find_budget": lambda f, k, s: f(k.budget, org_id=k.org_id, session=s),
    "budget_limits.find_budgets": lambda f, k, s: f([k.tenant.budget], session=s),
    "budget_limits.list_budgets": lambda f, k, s: f(k.org_id, k.run.id, session=s),
    "budget_limits.set_zone": lambda f, k, s: f(k.org_id, ZoneInfo("Asia/Tokyo"), session=s),
    "budget_limits.watched_budgets": lambda f, k, s: [row.id for row, _ in f(session=s) if row.id == k.tenant.budget],
    "budget_limits.zone_of": lambda f, k, s: f(k.org_id, session=s),
    "budget_shares.has_begun": lambda f, k, s: f(k.counter, session=s),
    "budget_shares.lock": lambda f, k, s: f(k.counter, session=s),
    "budget_shares.raise_limit": lambda f, k, s: f(k.counter, Decimal(1), session=s),
    "budget_shares.set_limit": lambda f, k, s: f(k.counter, Decimal(1), session=s),
    "budget_shares.settle": lambda f, k, s: f(k.counter, reserved=Decimal(0), used=Decimal(1), session=s),
    "budget_shares.spend": lambda f, k, s: f(k.counter, Decimal(1), session=s),
    "budget_shares.take": lambda f, k, s: f(k.counter, Decimal(100), session=s),
    "budget_standings.find_standing": lambda f, k, s: f(k.tenant.budget, EVER, session=s),
    "budget_standings.standing_of": lambda f, k, s: f(k.tenant.budget, EVER, session=s),
    "budgets.add_run_caps": lambda f, k, s: f(uuid4(), RunCaps(usd=Decimal(1)), org_id=k.org_id, session=s),
    "budgets.correct": lambda f, k, s: f(k.call, Decimal(1), "x", session=s),
    "budgets.cost_of_run": lambda f, k, s: f(k.run.id, session=s),
    "budgets.reserve": lambda f, k, s: f(k.reservation(), session=s),
    "budgets.reserve_within": lambda f, k, s: f(k.limits, k.reservation(), session=s),
    "budgets.settle": lambda f, k, s: f(k.reservation(), session=s),
    "client_logins.drop_login": lambda f, k, s: f(k.org_id, session=s),
    "client_logins.find_login": lambda f, k, s: f(k.org_id, session=s),
    "client_logins.put_login": lambda f, k, s: f(k.org_id, "password", session=s),
    "corrections.lock_calls": lambda f, k, s: f([k.tenant.invocation], session=s),
    "corrections.past_calls": lambda f, k, s: list(f(CallFilter(ids=[k.tenant.invocation]), session=s)),
    "deletions.add_request": lambda f, k, s: f(
        uuid4(), "x@y.example", folder="/x", digest="0" * 64, org_id=k.org_id, session=s
    ),
    "deletions.close_organization": lambda f, k, s: f(k.org_id, session=s),
    "deletions.delete_organization": lambda f, k, s: f(k.org_id, k.tenant.deletion, "0" * 64, session=s),
    "deletions.find_request": lambda f, k, s: f(k.tenant.deletion, session=s),
    "deletions.find_tombstone": lambda f, k, s: f(k.tenant.slug, session=s),
    "deletions.list_tombstones": lambda f, k, s: f(session=s),  # noqa: ARG005 - there is nothing to name
    "effects.add_effect": lambda f, k, s: f(k.effect(), session=s),
    "effects.effects_of_run": lambda f, k, s: f(k.run.id, session=s),
    "effects.find_effect": lambda f, k, s: f(k.run.id, "act", session=s),
    "effects.intend_again": lambda f, k, s: f(k.tenant.effect, "1" * 64, session=s),
    "effects.settle_effect": lambda f, k, s: f(k.run.id, "act", EffectStatus.DONE, session=s),
    "evidence.approvals_with_votes": lambda f, k, s: f(k.run.id, session=s),
    "evidence.links_of": lambda f, k, s: f(k.run.id, org_id=k.org_id, first=1, last=9, session=s),
    "evidence.usage_entries": lambda f, k, s: f(k.run.id, session=s),
    "evidence.vendor_details": lambda f, k, s: f(k.run.id, session=s),
    "exemptions.add_exemption": lambda f, k, s: f(
        OTHER_LIKENESS, org_id=k.org_id, approval_id=k.approval.id, based_on={}, session=s
    ),
    "exemptions.answered_by": lambda f, k, s: f(k.approval.id, session=s),
    "exemptions.cancel_proposals": lambda f, k, s: f([k.exemption], "x", session=s),
    "exemptions.close": lambda f, k, s: f(k.waiting.id, "x", session=s),
    "exemptions.exemption_ids_like": lambda f, k, s: f(str(k.exemption.id), session=s),
    "exemptions.find_exemption": lambda f, k, s: f(k.exemption.id, session=s),
    "exemptions.hold_in_force": lambda f, k, s: f(LIKENESS, org_id=k.org_id, session=s),
    "exemptions.left_unsigned": lambda f, k, s: f(k.org_id, session=s),
    "exemptions.list_exemptions": lambda f, k, s: f(k.org_id, session=s),
    "exemptions.lock_open": lambda f, k, s: f(k.exemption.id, session=s),
    "exemptions.lock_open_like": lambda f, k, s: f(LIKENESS, org_id=k.org_id, session=s),
    "exemptions.recent": lambda f, k, s: f(k.org_id, LONG_AGO, session=s),
    "exemptions.sign": lambda f, k, s: f(k.waiting.id, "x@y.example", session=s),
    "exemptions.withdraw": lambda f, k, s: f([k.exemption.id], "x", session=s),
    "exports.lines_of": lambda f, k, s: list(
        f("SELECT t::text FROM orchestrator_runs t WHERE t.org_id = :org_id", k.tenant.id, session=s)
    ),
    # Names of tables, the same for everybody.
    "exports.queries_of_export": lambda f, k, s: [] if k.tenant.slug not in str(f(session=s)) else ["named"],
    "invocations.add_vendor_detail": lambda f, k, s: f(k.detail(), session=s),
    "invocations.attempts_of_step": lambda f, k, s: f(k.run.id, "act", session=s),
    "invocations.completed_invocations": lambda f, k, s: f(k.run.id, session=s),
    "invocations.find_invocation": lambda f, k, s: f(k.tenant.invocation, session=s),
    "invocations.is_in_doubt": lambda f, k, s: f(k.run.id, "act", session=s),
    "invocations.last_failure": lambda f, k, s: f(k.run.id, "act", session=s),
    "invocations.list_invocations": lambda f, k, s: f(k.run.id, session=s),
    # From one: it has found none.
    "invocations.next_attempt": lambda f, k, s: f(k.run.id, "act", session=s) - 1,
    "invocations.outputs_of": lambda f, k, s: f(k.run.id, ["act"], session=s),
    "invocations.retry_at": lambda f, k, s: f(k.run.id, "act", session=s),
    "invocations.running_invocation": lambda f, k, s: f(k.tenant.invocation, session=s),
    "invocations.running_invocations": lambda f, k, s: f(k.run.id, session=s),
    "invocations.step_states": lambda f, k, s: f(k.run.id, 1, session=s).finished,
    "invocations.uncalled": lambda f, k, s: f(k.run, "act", Verdict(InvocationStatus.SKIPPED, "x"), session=s),
    "learning.add_likeness": lambda f, k, s: f(k.waiting.id, LIKENESS, org_id=k.org_id, exemption_id=None, session=s),
    "learning.add_rollback": lambda f, k, s: f(k.waiting.id, org_id=k.org_id, marked_by="x", note="x", session=s),
    "learning.find_rollback": lambda f, k, s: f(k.approval.id, session=s),
    "learning.lesson_of": lambda f, k, s: f(k.approval.id, session=s),
    "learning.records_since": lambda f, k, s: f(k.org_id, LONG_AGO, session=s),
    "leases.left_running": lambda f, k, s: [run_id for run_id in f(session=s) if run_id == k.run.id],
    "leases.release_lease": lambda f, k, s: f(k.run.id, k.run.epoch, session=s),
    "leases.renew_lease": lambda f, k, s: f(k.run.id, k.run.epoch, LONG, session=s),
    "leases.revoke_lease": lambda f, k, s: f(k.run.id, session=s),
    "leases.take_lease": lambda f, k, s: f(k.run.id, LONG, session=s),
    "leases.unleased": lambda f, k, s: f([k.run.id], session=s),
    "mail_messages.claim_free": lambda f, k, s: f(k.claimant, ["2"], after=3, limit=9, session=s),
    "mail_messages.claim_new": lambda f, k, s: f(k.claimant, ["9"], after=3, session=s),
    "mail_messages.claimed_by": lambda f, k, s: f(k.run.id, session=s),
    "mail_messages.holds_claim": lambda f, k, s: f(k.run.id, 1, session=s),
    "mail_messages.list_messages": lambda f, k, s: f(org_id=k.org_id, limit=9, session=s),
    "mail_messages.lock_ended": lambda f, k, s: f(k.run.id, session=s),
    "mail_messages.mark_flagged": lambda f, k, s: f([k.tenant.message], session=s),
    "mail_messages.note_outcome": lambda f, k, s: f(k.tenant.message, MailOutcome.NOTED, "x", session=s),
    # It says whether a copy is known, not whether there is a message.
    "mail_messages.note_read": lambda f, k, s: not f(k.tenant.message, ReadMail(subject="x"), session=s),
    "mail_messages.runs_to_settle": lambda f, k, s: [run for run in f(None, session=s) if run == k.run.id],
    "mail_messages.set_free": lambda f, k, s: f(k.tenant.message, "x", tried=True, session=s),
    "mail_messages.settle": lambda f, k, s: f(k.tenant.message, MailOutcome.NOTED, "x", session=s),
    "mail_messages.unflagged": lambda f, k, s: [row for row in f(MAILBOX, session=s) if row.org_id == k.tenant.id],
    "mail_messages.unknown_keys": lambda f, k, s: not f(k.claimant, ["1"], limit=9, session=s),
    "notice_routes.add_route": lambda f, k, s: f(
        Route(role="auditor", channel=Channel.EMAIL), org_id=k.org_id, session=s
    ),
    "notice_routes.list_routes": lambda f, k, s: f(org_id=k.org_id, session=s),
    "notice_routes.people_of": lambda f, k, s: f(k.org_id, session=s),
    "notice_routes.remove_route": lambda f, k, s: f(k.tenant.route, session=s),
    "notice_routes.routes_of": lambda f, k, s: f(k.org_id, session=s),
    "notices.add_notices": lambda f, k, s: f([k.notice()], session=s),
    "notices.approvals_told_of": lambda f, k, s: f([k.notice()], session=s),
    "notices.budgets_told_of": lambda f, k, s: f([k.threshold()], session=s),
    "notices.claim": lambda f, k, s: f(k.recipient, session=s),
    "notices.drop_outdated": lambda f, k, s: f(session=s),  # noqa: ARG005 - its own organisation's
    "notices.list_notices": lambda f, k, s: f(org_id=k.org_id, limit=10, session=s),
    "notices.mark_dropped": lambda f, k, s: f([k.tenant.notice], "x", session=s),
    "notices.mark_failed": lambda f, k, s: f([k.tenant.notice], "x", pause=LONG, session=s),
    "notices.mark_sent": lambda f, k, s: f([k.tenant.notice], session=s),
    "notices.organizations_with_notices": lambda f, k, s: [org_id for org_id in f(session=s) if org_id == k.tenant.id],
    "notices.ready": lambda f, k, s: [
        each for each in f(urgent_only=False, session=s) if each.address == k.tenant.owner
    ],
    "organizations.active_organizations": lambda f, k, s: [
        org_id for org_id, _ in f(session=s) if org_id == k.tenant.id
    ],
    "organizations.add_organization": lambda f, k, s: f("third", k.tenant.slug, session=s),
    "organizations.ensure_member": lambda f, k, s: f("x@y.example", "X", "owner", org_id=k.org_id, session=s),
    "organizations.ensure_organization": lambda f, k, s: f(k.tenant.slug, "X", session=s),
    "organizations.ensure_person": lambda f, k, s: f(k.tenant.owner, "X", session=s),
    "organizations.find_member": lambda f, k, s: f(k.tenant.owner, session=s),
    "organizations.find_organization": lambda f, k, s: f(k.tenant.slug, session=s),
    "organizations.grant_role": lambda f, k, s: f(k.tenant.user, "auditor", org_id=k.org_id, session=s),
    "organizations.grants_of": lambda f, k, s: f(k.org_id, session=s),
    "organizations.is_active": lambda f, k, s: f(k.org_id, session=s),
    "organizations.list_organizations": lambda f, k, s: [each for each, _ in f(session=s) if each.id == k.tenant.id],
    "organizations.lock_organization": lambda f, k, s: f(k.org_id, session=s),
    "organizations.memberships_of": lambda f, k, s: f(k.tenant.user, session=s),
    "organizations.organizations_of": lambda f, k, s: f(k.tenant.owner, session=s),
    "organizations.resume": lambda f, k, s: f(k.org_id, session=s),
    "organizations.revoke_role": lambda f, k, s: f(k.tenant.user, "owner", org_id=k.org_id, session=s),
    "organizations.roles_of": lambda f, k, s: f(k.tenant.user, org_id=k.org_id, session=s),
    "organizations.slug_of": lambda f, k, s: f(k.org_id, session=s),
    "organizations.suspend": lambda f, k, s: f(k.org_id, "x@y.example", "x", session=s),
    "overdue.asleep_over_expired": lambda f, k, s: [run_id for run_id in f(session=s) if run_id == k.run.id],
    "overdue.asleep_over_withdrawn": lambda f, _, s: f(session=s),
    "overdue.lock_orphans": lambda f, k, s: f(k.run.id, session=s),
    "overdue.lock_unreminded": lambda f, k, s: [each for each, _ in f(limit=10, session=s) if each.id == k.waiting.id],
    "overdue.note_reminder": lambda f, k, s: f(k.waiting.id, sent=1, next_at=None, session=s),
    "overdue.organizations_with_due": lambda f, k, s: [org_id for org_id in f(session=s) if org_id == k.tenant.id],
    "overdue.runs_with_orphans": lambda f, k, s: [run_id for run_id, _ in f(session=s) if run_id == k.run.id],
    "pages.with_slugs": lambda f, k, s: f([OrchestratorRun(org_id=k.org_id)], session=s),
    "past_actions.members_of": lambda f, k, s: f(k.org_id, session=s),
    "past_actions.requests_since": lambda f, k, s: f(k.org_id, LONG_AGO, session=s),
    "past_actions.runs_of_ids": lambda f, k, s: f([k.run.id], session=s),
    "past_actions.steps_since": lambda f, k, s: f(k.org_id, LONG_AGO, session=s),
    "past_costs.costs_of_run": lambda f, k, s: f(k.run.id, session=s),
    "past_costs.past_costs": lambda f, k, s: f(k.org_id, ["act"], session=s).get("act"),
    "plan_revisions.add_revision": lambda f, k, s: f(
        k.run.id, PLAN, Origin("x"), revision=2, org_id=k.org_id, session=s
    ),
    "plan_revisions.revisions_of_run": lambda f, k, s: f(k.run.id, session=s),
    "policies.add_policy": lambda f, k, s: f(k.org_id, NewPolicy("x", None, "x", "x"), version=2, session=s),
    "policies.newest_policy": lambda f, k, s: f(k.org_id, session=s),
    "policies.next_version": lambda f, k, s: f(k.org_id, session=s) - 1,
    "policies.policies_of": lambda f, k, s: f(k.org_id, session=s),
    "policies.policy_of_version": lambda f, k, s: f(k.org_id, 1, session=s),
    "price_overrides.add_override": lambda f, k, s: f(k.override(), org_id=k.org_id, session=s),
    "price_overrides.all_overrides": lambda f, k, s: f(session=s).get(k.tenant.id),
    "price_overrides.overrides_of": lambda f, k, s: f(k.org_id, session=s),
    "reviewer_codes.all_enrolments": lambda f, k, s: [each for each in f(session=s) if each.user_id == k.tenant.user],
    "reviewer_codes.count_wrong_code": lambda f, k, s: f(k.tenant.enrolment, 9, at=NOW, locked_until=None, session=s),
    "reviewer_codes.enrolment_of": lambda f, k, s: f(k.tenant.user, session=s),
    "reviewer_codes.exchange_seal": lambda f, k, s: f(k.tenant.enrolment, "x", session=s),
    "reviewer_codes.list_reviewers": lambda f, k, s: f(frozenset({"owner"}), org_id=k.org_id, session=s),
    "reviewer_codes.revoke_enrolment": lambda f, k, s: f(k.tenant.user, by="x", session=s),
    "reviewer_codes.use_step": lambda f, k, s: f(k.tenant.enrolment, 99, session=s),
    "rules.add_rules": lambda f, k, s: f(k.org_id, "# x", version=2, stored_by="x", session=s),
    "rules.newest_rules": lambda f, k, s: f(k.org_id, session=s),
    "rules.next_version": lambda f, k, s: f(k.org_id, session=s) - 1,
    "rules.rules_of_version": lambda f, k, s: f(k.org_id, 1, session=s),
    "runs.count_open": lambda f, k, s: f(k.org_id, session=s),
    "runs.count_recovery": lambda f, k, s: f(k.run.id, at_most=9, session=s),
    "runs.end_run": lambda f, k, s: f(k.run.id, RunStatus.FAILED, result=None, error_summary="x", session=s),
    "runs.find_run": lambda f, k, s: f(k.run.id, session=s),
    "runs.initiators_before": lambda f, k, s: f(k.run.id, session=s),
    "runs.list_runs": lambda f, k, s: [row for row, _ in f(RunFilter(), session=s) if row.org_id == k.org_id],
    "runs.next_gate_round": lambda f, k, s: f(k.run.id, "x", session=s),
    "runs.open_runs": lambda f, k, s: [run for run in f(session=s) if run.org_id == k.tenant.id],
    "runs.pause": lambda f, k, s: f(k.run.id, GateKind.HOLD, shown=None, session=s),
    "runs.reopen": lambda f, k, s: f(k.run.id, session=s),
    "runs.run_ids_like": lambda f, k, s: f(str(k.run.id), session=s),
    "runs.run_row": lambda f, k, s: f(k.run.id, session=s),
    "runs.set_hold": lambda f, k, s: f(k.run.id, "x@y.example", session=s),
    "runs.set_pins": lambda f, k, s: f(k.run.id, {}, "1" * 64, "x", session=s),
    "runs.set_plan": lambda f, k, s: f(k.run.id, {}, "1" * 64, session=s),
    "runs.wake": lambda f, k, s: f(k.run.id, session=s),
    "vigilance.looks_between": lambda f, k, s: f(k.org_id, LONG_AGO, datetime.now(UTC) + LONG, session=s),
    "votes.add_edit": lambda f, k, s: f(k.waiting, k.edited, edited_by="x", session=s),
    "votes.add_votes": lambda f, k, s: f([(k.waiting, k.vote)], k.request, by=k.tenant.user, verified=False, session=s),
    "votes.edits_of": lambda f, k, s: f(k.approval.id, session=s),
    "votes.vote_rows": lambda f, k, s: f(k.approval.id, session=s),
    "usage.usage_by": lambda f, k, s: f([UsageDimension.DAY], UsageFilter(org_id=k.org_id), session=s),
    "audit.base_of": lambda f, k, s: f(k.org_id, session=s)[0],
    "audit_months.documents_of_month": lambda f, k, s: list(f(date.today().replace(day=1), k.org_id, session=s)),
    "audit_rows.hash_before": lambda f, k, s: f(k.org_id, 2, session=s),
    "id_ranges.ids_like": lambda f, k, s: f(OrchestratorRun.id, str(k.run.id), session=s),
    "invocation_list.invocation_ids_like": lambda f, k, s: f(str(k.tenant.invocation), session=s),
    "invocation_list.page_of_invocations": lambda f, k, s: f(InvocationFilter(run_id=k.run.id), session=s),
    "privacy.audit_rows_that_mention": lambda f, k, s: f(k.org_id, [k.tenant.owner], session=s),
    "privacy.ended_run_ids": lambda f, k, s: f([k.run.id], k.org_id, session=s),
    "privacy.erase_mentions": lambda f, k, s: f(k.org_id, [k.tenant.owner], session=s),
    "privacy.without_end": lambda f, k, s: f([k.run.id], session=s),
    "audit_partitions.make_partition": lambda f, _, s: f(LONG_AGO.date(), session=s),
    "audit_partitions.months_to_make": lambda f, _, s: f(0, session=s),
    "retention.add_hold": lambda f, k, s: f(k.org_id, person="x@y.example", reason="x", session=s),
    "retention.add_retention": lambda f, k, s: f(k.org_id, 1, person="x@y.example", reason="x", session=s),
    "retention.archives_of": lambda f, k, s: f(k.org_id, session=s),
    "retention.archives_of_month": lambda f, _, s: f(LONG_AGO.date(), session=s),
    "retention.detach": lambda f, _, s: f(LONG_AGO.date(), session=s),
    "retention.drop": lambda f, _, s: f(LONG_AGO.date(), session=s),
    "retention.ended_months": lambda f, _, s: f(session=s),
    "retention.kept_by": lambda f, k, s: f(LONG_AGO.date(), [k.org_id], session=s),
    "retention.newest_retention": lambda f, k, s: f(k.org_id, session=s),
    "retention.note_export": lambda f, k, s: f(k.archive(), file="x", sha256="0" * 64, session=s),
    "retention.oldest_row_at": lambda f, k, s: f(k.org_id, session=s),
    "retention.open_holds": lambda f, k, s: f(k.org_id, session=s),
    "retention.release_hold": lambda f, k, s: f(k.tenant.hold, person="x@y.example", reason="x", session=s),
    "retention.stretches_of": lambda f, _, s: f(LONG_AGO.date(), session=s),
    "retention.unfinished_months": lambda f, _, s: f(session=s),
    "billing.add_closing": lambda f, k, s: f(k.org_id, LATER_MONTH, session=s),
    "billing.add_statement": lambda f, k, s: f(k.org_id, BILLED_MONTH, k.statement, session=s),
    "billing.billed": lambda f, k, s: f(k.org_id, session=s),
    "billing.closing_of": lambda f, k, s: f(k.org_id, BILLED_MONTH, session=s),
    "billing.due_months": lambda f, k, s: f(k.org_id, session=s),
    "billing.entries_of": lambda f, k, s: list(f(k.org_id, BILLED_MONTH, session=s)),
    "billing.frozen_statement": lambda f, k, s: f(k.org_id, BILLED_MONTH, session=s),
    "billing.frozen_statements": lambda f, k, s: list(f(None, org_id=k.org_id, session=s)),
    "billing.is_closed": lambda f, k, s: f(k.org_id, BILLED_MONTH, session=s),
    "billing.lines_of": lambda f, k, s: f(k.org_id, BILLED_MONTH, session=s),
    # A lock is no row; that of another one's billing tells nothing.
    "billing.lock_billing": lambda f, k, s: not f(k.org_id, session=s),
    "billing.organizations_billed": lambda f, k, s: [each for each in f(session=s) if each.org_id == k.tenant.id],
    "billing_check.unreconciled": lambda f, k, s: f(org_id=k.org_id, session=s),
    "billing_check.untrue_statements": lambda f, k, s: f(org_id=k.org_id, session=s),
    "top_ups.lock_questions": lambda f, _, s: f(None, session=s),
    "top_ups.organizations_that_ask": lambda f, k, s: [org_id for org_id in f(session=s) if org_id == k.tenant.id],
    # Beside what is the caller's own.
    "vendor_usage.calls_without_usage": lambda f, _, s: f(BILLED_MONTH, "UTC", session=s) - 1,
    "vendor_usage.used_by_day": lambda f, _, s: (
        [figures[Measure.INPUT] for figures in f(BILLED_MONTH, "UTC", session=s).values()] != [TOKENS_USED]
    ),
    "votes.votes_on": lambda f, k, s: f([k.approval.id], session=s),
    "workflows.add_workflow": lambda f, k, s: f(k.org_id, k.new_workflow, version=2, session=s),
    "workflows.disable": lambda f, k, s: f(k.org_id, "small", by="x", session=s),
    "workflows.list_workflows": lambda f, k, s: f(k.org_id, session=s),
    "workflows.next_version": lambda f, k, s: f(k.org_id, "small", session=s) - 1,
    "workflows.versions_of": lambda f, k, s: f(k.org_id, "small", session=s),
}

# The wall speaks up where a row would be attached, or a right is missing; a row that must be there is not found.
_WALLS = (ProgrammingError, IntegrityError, NoResultFound, BadInput)


def _event(k: Known) -> AuditEvent:
    return AuditEvent(event="x", actor="x", run_id=k.run.id, summary="x")


def _functions() -> dict[str, Callable[..., object]]:
    found = {}
    for module in pkgutil.iter_modules(sql.__path__):
        # What opens sessions and shapes them, and what sends others' statements, has none of its own.
        if module.ispkg or module.name in {"session", "trips"}:
            continue
        loaded = importlib.import_module(f"sql.{module.name}")
        for name, function in inspect.getmembers(loaded, inspect.isfunction):
            own = function.__module__ == loaded.__name__ and not name.startswith("_")
            if own and "session" in inspect.signature(function).parameters:
                found[f"{module.name}.{name}"] = function
    return found


def test_every_function_that_takes_a_session_has_a_case() -> None:
    assert sorted(_functions()) == sorted(CASES)


def _digests(*tenants: Tenant) -> Iterator[str]:
    for tenant in tenants:
        with system_session() as session:
            org = find_organization(tenant.slug, session=session)
            assert org
            yield manifest_now(org, session=session).digest
    # Of people, not of organisations.
    yield str(rows("SELECT c::text FROM reviewer_codes c ORDER BY id"))


def _session_of(name: str, tenant: Tenant) -> AbstractContextManager[Session]:
    # Of the server's roles an administrator disposes, as the owner of one organisation's rows.
    administrators = name in {"client_logins.put_login", "client_logins.drop_login"}
    return owner_session(tenant.id, actor="operator") if administrators else org_session(tenant.id)


def _call(name: str, known: Known, stranger: Tenant) -> object:
    """Call a function as the stranger; whatever it has written is flushed, committed and there to be seen."""
    with _session_of(name, stranger) as session:
        result = CASES[name](_functions()[name], known, session)
        session.flush()
    return result


def test_nothing_is_read_changed_or_attached_across_organisations(database: str) -> None:  # noqa: ARG001
    victim, stranger = fill("victim", status="executing"), fill("stranger")
    known = Known(victim)
    before = list(_digests(victim, stranger))
    for module, names in groupby(CASES, key=lambda name: name.partition(".")[0]):
        for name in names:
            try:
                result = _call(name, known, stranger)
            except _WALLS:
                result = None
            assert not result, (name, result)
        assert list(_digests(victim, stranger)) == before, module


# What writes rows of one organisation that refer to others: these must be the same one's.
_ATTACHING = (
    "agent_memory.note",
    "attempts.begin",
    "billing.add_closing",
    "billing.add_statement",
    "budget_shares.lock",
    "budgets.reserve",
    "budgets.reserve_within",
    "effects.add_effect",
    "exemptions.add_exemption",
    "invocations.uncalled",
    "learning.add_likeness",
    "learning.add_rollback",
    "mail_messages.claim_free",
    "mail_messages.claim_new",
    "notices.add_notices",
    "plan_revisions.add_revision",
    "votes.add_edit",
    "votes.add_votes",
)


def test_no_row_of_ones_own_is_attached_to_what_is_anothers(database: str) -> None:  # noqa: ARG001
    victim, stranger = fill("victim", status="executing"), fill("stranger")
    known = Known(victim, org_id=stranger.id)
    before = list(_digests(victim, stranger))
    for name in _ATTACHING:
        try:
            attached = _call(name, known, stranger)
        except (IntegrityError, ProgrammingError, NoResultFound):
            continue
        pytest.fail(f"{name}: {attached}")

    assert list(_digests(victim, stranger)) == before


def test_the_cases_find_something_where_they_may(database: str) -> None:  # noqa: ARG001
    own = fill("victim", status="executing")
    known, found = Known(own), set()
    for name in CASES:
        with _session_of(name, own) as session:
            try:
                if CASES[name](_functions()[name], known, session):
                    found.add(name)
            except (*_WALLS, AssertionError):
                pass
            finally:
                session.rollback()

    # Else the test above could pass by asking for nothing.
    assert len(found) > len(CASES) // 2, sorted(set(CASES) - found)


@pytest.mark.parametrize("name", ["organizations.grants_of", "approvals.find_approval", "runs.find_run"])
def test_what_people_are_decided_by_is_found_by_its_own(database: str, name: str) -> None:  # noqa: ARG001
    own = fill("victim")

    assert _call(name, Known(own), own)
