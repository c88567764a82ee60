"""What must return nothing: entries that do not agree with their call, statements that do not with the entries."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from maos.billing_months import BillingMonth

# More than that nobody reads; whoever mends these asks again.
MOST_FAULTS = 1000


@dataclass(frozen=True)
class BillingFault:
    """Something that does not add up."""

    org: str
    month: str | None
    run_id: UUID | None
    invocation_id: UUID | None
    fault: str


# Of one organisation's month: what is billed in it, and what ended in it.
_SCOPE = """
    scope AS MATERIALIZED (
        SELECT invocation_id AS id FROM usage_entries WHERE org_id = :org_id AND billing_month = :month
        UNION
        SELECT id FROM agent_invocations WHERE org_id = :org_id AND completed_at >= :begins AND completed_at < :ends
    ),
"""

_UNRECONCILED = """
    WITH {scope} movements AS (
        SELECT u.invocation_id,
            count(*) FILTER (WHERE u.kind = 'reserve') AS reserves,
            count(*) FILTER (WHERE u.kind = 'settle') AS settles,
            count(*) FILTER (WHERE u.kind IN ('settle', 'release')) AS ends,
            count(*) FILTER (WHERE u.kind = 'correct') AS corrections,
            max(u.number) FILTER (WHERE u.kind = 'correct') AS last_correction,
            max(u.amount_usd) FILTER (WHERE u.kind = 'reserve') AS reserved,
            max(u.amount_usd) FILTER (WHERE u.kind = 'settle') AS settled,
            max(u.amount_usd) FILTER (WHERE u.kind = 'release') AS released,
            max(u.engine) AS engine, min(u.engine) AS other_engine, max(u.action) AS action,
            max(u.unit) FILTER (WHERE u.kind = 'settle') AS unit,
            max(u.quantity) FILTER (WHERE u.kind = 'settle') AS quantity,
            max(u.run_id::text) AS run_id, min(u.run_id::text) AS other_run_id
        FROM usage_entries u {of_scope_by_invocation} GROUP BY u.invocation_id
    )
    SELECT o.slug, i.run_id, i.id, found.fault
    FROM agent_invocations i {of_scope_by_id}
    JOIN organizations o ON o.id = i.org_id
    JOIN engine_labels l ON l.engine_type = i.engine_type
    LEFT JOIN movements m ON m.invocation_id = i.id
    CROSS JOIN LATERAL (
        SELECT i.input_tokens + i.output_tokens + i.cache_read_tokens + i.cache_write_tokens AS tokens) used
    CROSS JOIN LATERAL (
        SELECT billing_unit(l.label, i.cost_usd, i.token_cost_estimate, used.tokens) AS unit) due
    CROSS JOIN LATERAL (SELECT CASE
        WHEN m.invocation_id IS NULL AND i.token_cost_estimate = 0 AND i.cost_usd = 0 THEN NULL
        WHEN m.reserves IS DISTINCT FROM 1 THEN 'nothing was reserved for it'
        WHEN m.reserved <> i.token_cost_estimate THEN 'what was reserved is not its ceiling'
        WHEN m.run_id <> i.run_id::text OR m.other_run_id <> i.run_id::text THEN 'an entry is of another run'
        WHEN m.ends > 1 THEN 'it was both settled and released'
        WHEN m.ends = 1 AND i.completed_at IS NULL THEN 'it was settled and has not ended'
        WHEN m.ends = 0 AND i.completed_at IS NOT NULL THEN 'it has ended and was not settled'
        WHEN m.settled <> i.cost_usd THEN 'what was settled is not its cost'
        WHEN m.released <> i.token_cost_estimate OR (m.released IS NOT NULL AND i.cost_usd <> 0)
            THEN 'what was released is not its ceiling, or it has a cost'
        WHEN m.settles > 0 AND i.rehearsal THEN 'it is a rehearsal and was charged'
        WHEN m.corrections > 0 AND (m.ends = 0 OR m.last_correction <> m.corrections)
            THEN 'its corrections are not one after another'
        WHEN m.engine <> l.label OR m.other_engine <> m.engine OR m.action <> i.action
            OR m.unit <> due.unit OR m.quantity <> CASE due.unit WHEN 'token' THEN used.tokens ELSE 1 END
            THEN 'it is billed as something else'
        END AS fault) found
    WHERE found.fault IS NOT NULL {of_org}
    ORDER BY o.slug, i.started_at, i.id LIMIT :most
"""

_UNTRUE = """
    SELECT o.slug, to_char(s.month, 'YYYY-MM')
    FROM billing_statements s
    JOIN organizations o ON o.id = s.org_id
    CROSS JOIN LATERAL (
        SELECT count(*) AS entries, sum(amount_usd) AS total_usd FROM usage_entries u
        WHERE u.org_id = s.org_id AND u.billing_month = s.month) now
    WHERE (now.entries, now.total_usd) IS DISTINCT FROM (s.entries, s.total_usd) {of_org}
    ORDER BY o.slug, s.month
"""


def unreconciled(
    *, org_id: UUID | None = None, month: BillingMonth | None = None, session: Session
) -> Sequence[BillingFault]:
    """Return the invocations whose entries are not what they must be, each with the first thing that is wrong.

    Args:
        month: only what is billed in this month, or ended in it; of one organisation.
    """
    scoped = org_id is not None and month is not None
    statement = _UNRECONCILED.format(
        scope=_SCOPE if scoped else "",
        of_scope_by_invocation="JOIN scope ON scope.id = u.invocation_id" if scoped else "",
        of_scope_by_id="JOIN scope ON scope.id = i.id" if scoped else "",
        of_org="AND i.org_id = :org_id" if org_id else "",
    )
    given: dict[str, object] = {"most": MOST_FAULTS} | ({"org_id": org_id} if org_id else {})
    if month and scoped:
        given |= {"month": month.first, "begins": month.begins, "ends": month.ends}
    # Of a million calls, groups and joins would else go through files several times.
    session.execute(text("SET LOCAL work_mem = '64MB'"))
    rows = session.execute(text(statement), given)
    named = str(month) if scoped else None
    return [BillingFault(slug, named, run_id, call, fault) for slug, run_id, call, fault in rows]


def untrue_statements(*, org_id: UUID | None = None, session: Session) -> Sequence[BillingFault]:
    """Return the closed months whose entries no longer add up to their statement."""
    statement = _UNTRUE.format(of_org="AND s.org_id = :org_id" if org_id else "")
    rows = session.execute(text(statement), {"org_id": org_id} if org_id else {})
    fault = "its entries do not add up to its statement"
    return [BillingFault(slug, month, None, None, fault) for slug, month in rows]
