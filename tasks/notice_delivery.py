"""Delivering notices: by the process that asks, at once, and by the housekeeping flow, which tries again."""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session

from maos.approvals import Approval
from maos.budgets import BudgetKey, BudgetScope
from maos.errors import EngineFailure, StackError
from maos.failures import FailureKind
from maos.notice_text import Message, Told, ToldBudget
from maos.notices import MOST_ATTEMPTS, Channel, NoticeKind, Recipient, pause_after
from maos.runs import Run
from sql import notices
from sql.budget_standings import Standing
from sql.notice_tables import ApprovalNotice
from sql.organizations import slug_of
from sql.session import org_session
from tasks.notice_channels import Parcel, key_of, send
from tasks.outages import outlasting
from tasks.pages import run_page
from tasks.secrecy import for_clients

# How long a run waits for its reviewers to be told before it goes on; what is not sent by then is sent a minute later.
_PATIENCE_SECONDS = 5.0
# Well within the time after which another would try again.
_LONGEST_SECONDS = 20.0


@dataclass(frozen=True)
class Delivery:
    """What came of delivering."""

    sent: int = 0
    failed: int = 0


def announce(run: Run) -> None:
    """Tell reviewers at once what is urgent in the run's organisation; whatever goes wrong, the run goes on."""
    with suppress(StackError):
        if _ready(run.org_id, urgent_only=True):
            # Beside the run: a name that is not resolved, or a server that is not reached, must not hold it up.
            sender = threading.Thread(
                target=copy_context().run, args=(_deliver_quietly, run.org_id), name="notices", daemon=True
            )
            sender.start()
            sender.join(_PATIENCE_SECONDS)


def _deliver_quietly(org_id: UUID) -> None:
    with suppress(StackError):
        deliver(org_id, urgent_only=True, seconds=_PATIENCE_SECONDS)


def deliver(org_id: UUID, *, urgent_only: bool = False, seconds: float) -> Delivery:
    """Send what people of an organisation are to be told by now, to each in one message, for so long at most."""
    deadline = time.monotonic() + seconds
    sent = failed = 0
    for recipient in _ready(org_id, urgent_only=urgent_only):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        done = _deliver_to(recipient, org_id, seconds=min(left, _LONGEST_SECONDS))
        sent, failed = sent + (done is True), failed + (done is False)
    return Delivery(sent, failed)


def _ready(org_id: UUID, *, urgent_only: bool) -> list[Recipient]:
    with org_session(org_id) as session:
        notices.drop_outdated(session=session)
        return notices.ready(urgent_only=urgent_only, session=session)


def _deliver_to(recipient: Recipient, org_id: UUID, *, seconds: float) -> bool | None:
    """Send one message; return whether it was sent, or None where another sends it."""
    with org_session(org_id) as session:
        claimed = notices.claim(recipient, session=session)
        if not claimed:
            return None
        message = _message(claimed, org_id, session=session)
    parcel = Parcel(message, recipient, key_of(each.id for each in claimed), seconds)
    try:
        send(parcel)
    except (EngineFailure, StackError) as error:
        _note_failure(claimed, error, org_id)
        return False
    _note_sent(claimed, org_id)
    return True


def _message(claimed: Sequence[ApprovalNotice], org_id: UUID, *, session: Session) -> Message:
    approvals = notices.approvals_told_of(claimed, session=session)
    told = tuple(_told(each, approvals[each.approval_id]) for each in claimed if each.approval_id)
    org = slug_of(org_id, session=session)
    standings = notices.budgets_told_of(claimed, session=session)
    return Message(org=org, told=told, budgets=tuple(_told_budget(*each, org) for each in standings))


def _told_budget(percent: int, standing: Standing, org: str) -> ToldBudget:
    key = BudgetKey(scope=standing.scope, owner=standing.scope_id, unit=standing.unit, period=standing.period)
    return ToldBudget(
        budget=for_clients(key.in_words),
        scope=standing.scope,
        name=org if standing.scope is BudgetScope.ORG else for_clients(standing.scope_id),
        unit=standing.unit,
        period=standing.period,
        begins=standing.period_start,
        percent=percent,
        limit=standing.limit,
        spent=standing.spent,
        left=standing.left,
    )


def _told(notice: ApprovalNotice, approval: Approval) -> Told:
    return Told(
        kind=NoticeKind(notice.kind),
        approval=approval.id,
        run=approval.run_id,
        step=for_clients(approval.step_id),
        title=for_clients(approval.title),
        risk=approval.risk,
        asked_by=for_clients(approval.initiator),
        decide_before=approval.expires_at,
        page=run_page(approval.run_id) if approval.run_id else f"maos approvals show {approval.id}",
    )


@outlasting
def _note_sent(claimed: Sequence[ApprovalNotice], org_id: UUID) -> None:
    with org_session(org_id) as session:
        notices.mark_sent([each.id for each in claimed], session=session)


@outlasting
def _note_failure(claimed: Sequence[ApprovalNotice], error: EngineFailure | StackError, org_id: UUID) -> None:
    words, tried = for_clients(str(error)), max(each.attempts for each in claimed)
    ids = [each.id for each in claimed]
    no_mail = claimed[0].channel == Channel.EMAIL and _is_unconfigured(error)
    with org_session(org_id) as session:
        if no_mail or tried >= MOST_ATTEMPTS:
            notices.mark_dropped(ids, words, session=session)
        else:
            notices.mark_failed(ids, words, pause=pause_after(tried), session=session)


def _is_unconfigured(error: EngineFailure | StackError) -> bool:
    return isinstance(error, EngineFailure) and error.kind is FailureKind.NOT_CONFIGURED
