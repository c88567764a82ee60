"""Reading everything of one organisation, table by table, each row as one line of JSON."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

_READ_AT_ONCE = 1000
# The request that an export is written for cannot be part of it: it holds the export's digest.
_LEFT_OUT = "organization_deletions"

_TENANT_TABLES = text(
    """
    SELECT quote_ident(c.relname),
           string_agg(quote_ident(a.attname), ', ' ORDER BY array_position(i.indkey::int2[], a.attnum))
    FROM pg_class c
    JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey::int2[])
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND c.relname <> :left_out
      AND EXISTS (SELECT FROM pg_attribute o WHERE o.attrelid = c.oid AND o.attname = 'org_id')
    GROUP BY c.relname ORDER BY c.relname
    """
)
# Beside the tables with `org_id`: the organisation itself and its people.
_ORGANIZATION = "SELECT to_jsonb(t)::text FROM organizations t WHERE t.id = :org_id"
_ROWS = "SELECT to_jsonb(t)::text FROM {table} t WHERE t.org_id = :org_id ORDER BY {key}"
_PEOPLE = (
    "SELECT to_jsonb(t)::text FROM users t "
    "WHERE t.id IN (SELECT m.user_id FROM user_organizations m WHERE m.org_id = :org_id) ORDER BY t.id"
)


def queries_of_export(*, session: Session) -> dict[str, str]:
    """Return what reads each part of an organisation, in an order that is the same every time.

    The tables are those that the database has: one that is added later is exported without a mention here.
    """
    # Times are written in the zone of the session, and the same row must be the same line everywhere.
    session.execute(text("SET LOCAL TimeZone = 'UTC'"))
    queries = {"organizations": _ORGANIZATION, "users": _PEOPLE}
    for table, key in session.execute(_TENANT_TABLES, {"left_out": _LEFT_OUT}):
        queries[str(table)] = _ROWS.format(table=table, key=key)
    return queries


def lines_of(query: str, org_id: UUID, *, session: Session) -> Iterator[str]:
    """Yield the rows of a part of an organisation, in constant memory."""
    result = session.execute(text(query), {"org_id": org_id}, execution_options={"yield_per": _READ_AT_ONCE})
    yield from (str(line) for line in result.scalars())
