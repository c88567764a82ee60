"""An attempt of a step: reserved and written before the engine is called, settled and audited after it."""

from decimal import Decimal
from types import TracebackType
from typing import Self
from uuid import UUID

from sqlmodel import Session

from maos.actions import StepOutcome
from maos.audit import AuditEvent
from maos.errors import ApprovalInvalid, EngineFailure, FailureKind, MaosError, UnpricedModel
from maos.pricing import cost_of
from maos.redaction import for_clients, without_secrets
from maos.runs import Run
from maos.statuses import ApprovalStatus, InvocationStatus
from maos.usage import Receipt
from sql import approvals, audit, budgets, invocations
from sql.session import org_session
from sql.tables import AgentInvocation, InvocationVendorDetail, utc_now
from tasks.payloads import Payload

# The call was sent and no answer came: it may have been carried out, and is owed.
_FATE_UNKNOWN = frozenset({FailureKind.TIMED_OUT, FailureKind.INTERRUPTED})


class Attempt:
    """One attempt of a step as a context: leaving it without `complete` records a failure.

    Raises on entry:
        ApprovalInvalid: when the step needs an approval and none covers exactly this payload.
        BudgetExceeded: when the ceiling does not fit into a budget; nothing is written then.
    """

    def __init__(self, payload: Payload, *, ceiling_usd: Decimal = Decimal(0), task_run_id: UUID | None = None) -> None:
        self._payload = payload
        self._ceiling_usd = ceiling_usd
        self._task_run_id = task_run_id
        self._receipt: Receipt | None = None
        self._done = False

    def __enter__(self) -> Self:
        run, step = self._payload.run, self._payload.step
        with org_session(run.org_id) as session:
            approval_id = _consume_approval(self._payload, session=session)
            row = AgentInvocation(
                org_id=run.org_id,
                run_id=run.id,
                step_id=step.id,
                attempt=invocations.next_attempt(run.id, step.id, session=session),
                agent_name=step.agent,
                engine_type=step.engine,
                action=step.action,
                approval_id=approval_id,
                task_run_id=self._task_run_id,
                rehearsal=run.rehearsal,
                input_summary=for_clients(_inputs_in_words(self._payload)),
                token_cost_estimate=self._ceiling_usd,
            )
            session.add(row)
            session.flush()
            budgets.reserve(row, session=session)
        self._invocation_id = row.id
        return self

    def spend(self, receipt: Receipt) -> None:
        """Note what the engine consumed, before anything is made of its answer: it is owed either way."""
        self._receipt = receipt

    def complete(self, outcome: StepOutcome) -> None:
        """Write the outcome: from here on the step is done and never runs again."""
        with org_session(self._payload.run.org_id) as session:
            row = self._running_row(session)
            row.output = outcome.output
            row.output_summary = for_clients(outcome.summary)
            row.artifacts = [artifact.model_dump(mode="json") for artifact in outcome.artifacts]
            self._end(row, InvocationStatus.COMPLETED, session=session)
            self._audit(row, success=True, summary=row.output_summary, session=session)
        self._done = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._done:
            return
        if isinstance(error, EngineFailure) and error.receipt:
            self._receipt = error.receipt
        with org_session(self._payload.run.org_id) as session:
            row = self._running_row(session)
            row.error_kind = _kind_of(error).value
            row.error_summary = for_clients(error_for_clients(error))
            self._end(row, InvocationStatus.FAILED, error=error, session=session)
            self._audit(row, success=False, summary=row.error_summary, session=session)

    def _running_row(self, session: Session) -> AgentInvocation:
        row = invocations.running_invocation(self._invocation_id, session=session)
        if row is None:
            raise EngineFailure(FailureKind.SERVICE_ERROR, "another process took this attempt over")
        return row

    def _end(
        self, row: AgentInvocation, status: InvocationStatus, *, error: BaseException | None = None, session: Session
    ) -> None:
        row.status = status
        row.completed_at = utc_now()
        detail = InvocationVendorDetail(
            invocation_id=row.id,
            org_id=row.org_id,
            error_detail=without_secrets(str(error)) if error else None,
        )
        if self._receipt:
            _note_receipt(self._receipt, row, detail)
        elif _kind_of(error) in _FATE_UNKNOWN and error:
            row.cost_usd = row.token_cost_estimate
        session.add(row)
        budgets.settle(row, session=session)
        if self._receipt or error:
            invocations.add_vendor_detail(detail, session=session)
        session.flush()

    def _audit(self, row: AgentInvocation, *, success: bool, summary: str, session: Session) -> None:
        payload = self._payload
        event = AuditEvent(
            event="step.completed" if success else "step.failed",
            actor=payload.step.agent,
            run_id=row.run_id,
            step_id=row.step_id,
            action=row.action,
            risk=payload.spec.risk,
            was_automatic=row.approval_id is None,
            approval_id=row.approval_id,
            digest=payload.digest,
            success=success,
            summary=summary,
        )
        audit.append_audit(event, org_id=row.org_id, session=session)


def _consume_approval(payload: Payload, *, session: Session) -> UUID | None:
    if not payload.guarded:
        return None
    approval = approvals.newest_approvals(payload.run.id, session=session).get(payload.step.id)
    if approval is None or approval.status is not ApprovalStatus.APPROVED:
        raise ApprovalInvalid(payload.step.id, "nobody has approved it")
    if not approvals.consume(approval.id, payload.digest, session=session):
        raise ApprovalInvalid(payload.step.id, "what was approved is not what would run now, or has expired")
    return approval.id


def _note_receipt(receipt: Receipt, row: AgentInvocation, detail: InvocationVendorDetail) -> None:
    row.input_tokens = receipt.usage.input_tokens
    row.output_tokens = receipt.usage.output_tokens
    row.cache_read_tokens = receipt.usage.cache_read_tokens
    row.cache_write_tokens = receipt.usage.cache_write_tokens
    detail.model = receipt.model
    detail.request_id = receipt.request_id
    detail.raw_usage = receipt.raw_usage
    # Cut short, a call may have cost its ceiling; a limit must hold against that.
    row.cost_usd = row.token_cost_estimate
    if receipt.final:
        _price(receipt, row, detail)


def _price(receipt: Receipt, row: AgentInvocation, detail: InvocationVendorDetail) -> None:
    try:
        cost = cost_of(receipt.usage, receipt.model, row.started_at)
    except UnpricedModel:
        # A model that names itself anew is never free: the ceiling stands until its price is known.
        return
    row.cost_usd = cost.usd
    detail.price_snapshot = cost.price_list


def abandon_running(run: Run, *, session: Session) -> None:
    """End the attempts that a dead process left running; a call that was under way counts at its ceiling."""
    for row in invocations.running_invocations(run.id, session=session):
        row.status = InvocationStatus.FAILED
        row.error_kind = FailureKind.INTERRUPTED.value
        row.error_summary = "the process that ran it ended"
        row.completed_at = utc_now()
        row.cost_usd = row.token_cost_estimate
        session.add(row)
        budgets.settle(row, session=session)


def error_for_clients(error: BaseException | None) -> str:
    """Return words for a failure that give nothing away: engines and services by their kind only."""
    if isinstance(error, EngineFailure):
        return f"the engine did not deliver ({error.kind.value.replace('_', ' ')})"
    if isinstance(error, MaosError):
        return str(error)
    return f"the service failed ({type(error).__name__})"


def _kind_of(error: BaseException | None) -> FailureKind:
    if isinstance(error, EngineFailure):
        return error.kind
    return FailureKind.SERVICE_ERROR if isinstance(error, Exception) else FailureKind.INTERRUPTED


def _inputs_in_words(payload: Payload) -> str:
    read = ", ".join(f"{name} of {source}" for name, source in payload.step.inputs.items())
    return f"{payload.spec.title} Reads {read}." if read else payload.spec.title
