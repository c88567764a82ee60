"""Keeping the queue of approvals: what is due is settled and reminded of, runs are woken, people are told."""

from dataclasses import dataclass
from uuid import UUID

from maos.approvals import Approval
from maos.notices import NoticeKind, reminder_at, reminders_due
from sql import approvals, overdue
from sql.notices import organizations_with_notices
from sql.session import only_one, org_session, system_session
from tasks.expiry import expire_all
from tasks.notice_delivery import deliver
from tasks.notices import tell
from tasks.outages import outlasting
from tasks.waking import wake_all

# Any constants will do: they keep two keepers apart.
_SETTLING, _WAKING, _TELLING = 0x65787069, 0x77616B65, 0x74656C6C
# Short enough that nobody who writes the organisation's audit log has to wait for long.
_AT_ONCE = 100
_DELIVERY_SECONDS = 60.0


def keep_queue() -> list[str]:
    """Settle and remind of what is due in every organisation, tell people, and wake the runs; say what was done.

    One process does each of these at a time; one that is killed leaves whole batches, and the rest to the next.
    """
    said, escalated = _settle_everywhere()
    said += _tell_everywhere()
    return said + _wake_sleepers(escalated)


@dataclass(frozen=True)
class _Batch:
    """Approvals that were due together, and those of them that have ended."""

    due: list[Approval]
    ended: list[Approval]

    @property
    def escalated(self) -> list[Approval]:
        """Those that go on."""
        return [each for each in self.due if each not in self.ended]


def _settle_everywhere() -> tuple[list[str], set[UUID]]:
    """Return what was done, and the runs whose approvals were escalated."""
    batches: list[_Batch] = []
    reminded = 0
    with system_session() as session:
        if not only_one(_SETTLING, session=session):
            return [], set()
        for org_id in overdue.organizations_with_due(session=session):
            while (batch := _settle(org_id)).due:
                batches.append(batch)
            reminded += _remind(org_id)
    ended, escalated = sum(len(each.ended) for each in batches), [one for each in batches for one in each.escalated]
    counts = {"expired": ended, "escalated": len(escalated), "reminded of": reminded}
    said = [f"{count} approvals {what}" for what, count in counts.items() if count]
    return said, {each.run_id for each in escalated if each.run_id}


@outlasting
def _settle(org_id: UUID) -> _Batch:
    with org_session(org_id) as session:
        due = approvals.lock_due(None, limit=_AT_ONCE, session=session)
        return _Batch(due, expire_all(due, session=session))


def _remind(org_id: UUID) -> int:
    reminded = 0
    while batch := _remind_batch(org_id):
        reminded += batch
    return reminded


@outlasting
def _remind_batch(org_id: UUID) -> int:
    with org_session(org_id) as session:
        now = approvals.database_time(session=session)
        due = overdue.lock_unreminded(limit=_AT_ONCE, session=session)
        for approval, sent in due:
            number = reminders_due(approval, sent=sent, now=now)
            tell(NoticeKind.REMINDER, [approval], reminder=number, session=session)
            next_at = reminder_at(approval, sent=number)
            overdue.note_reminder(approval.id, sent=number, next_at=next_at, session=session)
    return len(due)


def _tell_everywhere() -> list[str]:
    with system_session() as session:
        if not only_one(_TELLING, session=session):
            return []
        orgs = organizations_with_notices(session=session)
        done = [deliver(org_id, seconds=_DELIVERY_SECONDS) for org_id in orgs]
    counts = {"sent": sum(each.sent for each in done), "not sent": sum(each.failed for each in done)}
    return [f"{count} messages {what}" for what, count in counts.items() if count]


def _wake_sleepers(over_escalations: set[UUID]) -> list[str]:
    """Wake the runs whose form has to change: an approval on it was escalated, has expired, or was withdrawn.

    Those of an earlier process that died before it woke them are among the latter two.
    """
    with system_session() as session:
        if not only_one(_WAKING, session=session):
            return []
        settled = [*overdue.asleep_over_expired(session=session), *overdue.asleep_over_withdrawn(session=session)]
        run_ids = {*over_escalations, *settled}
        if not run_ids:
            return []
        asleep = wake_all(run_ids, "maos")
    return [f"{len(run_ids) - len(asleep)} of {len(run_ids)} runs woken"]
