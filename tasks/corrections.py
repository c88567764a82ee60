"""Recomputing what past calls cost, and writing what is missing or too much as entries of its own."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from uuid import UUID

from maos.actions import JsonObject
from maos.audit import AuditEvent
from maos.corrections import Finding, PastCall, Recosted, recosted
from maos.engines import EngineType
from maos.usage import TokenUsage
from sql import audit, budgets
from sql.corrections import CallFilter, lock_calls, past_calls
from sql.session import org_session, system_session
from tasks.writer import usage_of

# Each vendor records usage in words of its own.
_READERS: dict[EngineType, Callable[[JsonObject], TokenUsage]] = {
    EngineType.CLAUDE_CLI: usage_of,
    EngineType.DEEP_AGENT: usage_of,
}


def review_costs(which: CallFilter) -> list[Recosted]:
    """Return past calls with what they cost by the prices known now."""
    with system_session() as session:
        return [_recosted(call) for call in past_calls(which, session=session)]


def correct_costs(found: Iterable[Recosted]) -> list[Recosted]:
    """Write a correcting entry for each call whose cost differs; return those that were written.

    Each run is corrected in a transaction of its own. Doing it again finds nothing left to correct.
    """
    by_run: defaultdict[tuple[UUID, UUID], list[UUID]] = defaultdict(list)
    for each in found:
        if each.finding is Finding.DIFFERS:
            by_run[each.call.org_id, each.call.run_id].append(each.call.invocation_id)
    return [done for (org_id, run_id), ids in by_run.items() for done in _correct_run(run_id, org_id=org_id, ids=ids)]


def _correct_run(run_id: UUID, *, org_id: UUID, ids: Sequence[UUID]) -> list[Recosted]:
    with org_session(org_id) as session:
        lock_calls(ids, session=session)
        # Looked at once more, now that nobody else can correct them.
        now = [_recosted(call) for call in past_calls(CallFilter(ids=ids), session=session)]
        due = [each for each in now if each.finding is Finding.DIFFERS]
        for each in due:
            budgets.correct(each.call, each.difference_usd, each.price_list or "", session=session)
            session.flush()
        if due:
            cost = budgets.cost_of_run(run_id, session=session)
            audit.append_audit(_event(run_id, due, cost), org_id=org_id, session=session)
    return due


def _recosted(call: PastCall) -> Recosted:
    read = _READERS.get(call.engine)
    return recosted(call, read(call.raw_usage) if read and call.raw_usage else None)


def _event(run_id: UUID, due: Sequence[Recosted], cost: Decimal) -> AuditEvent:
    change = sum((each.difference_usd for each in due), start=Decimal(0))
    calls = "1 call" if len(due) == 1 else f"{len(due)} calls"
    summary = f"{change:+f} USD for {calls}, {cost:f} USD in all; by {due[0].price_list}"
    return AuditEvent(event="cost.corrected", actor="maos", run_id=run_id, was_automatic=False, summary=summary)
