"""Rows of an open table that are repeated in full: counted, and left out."""

from maos.datasets import DatasetFacts
from tasks.tables import Table


def repeated_rows(table: Table, facts: DatasetFacts) -> int:
    """Return how many rows are the same as one before."""
    columns = ", ".join(f"c{index}" for index in range(len(table.names)))
    found = table.connection.execute(
        "SELECT coalesce(sum(n - 1), 0)::BIGINT"  # noqa: S608 - names of our own
        f" FROM (SELECT count(*) AS n FROM data WHERE {_suspects(table, facts)} GROUP BY {columns})"
    ).fetchall()
    return int(found[0][0])


def rows_once(table: Table, facts: DatasetFacts) -> str:
    """Return the SQL of the rows, each once."""
    suspects = _suspects(table, facts)
    return (
        f"(SELECT * FROM data WHERE NOT {suspects}"  # noqa: S608 - names of our own
        f" UNION ALL SELECT DISTINCT * FROM data WHERE {suspects})"
    )


def _suspects(table: Table, facts: DatasetFacts) -> str:
    """Return the condition of the rows that may be repeated: those whose likeliest key is, so that few are compared."""
    key = max(facts.columns, key=lambda column: column.distinct)
    if key.distinct == facts.row_count:
        return "false"
    if key.distinct * 2 < facts.row_count:
        return "true"
    column = table.column(key.name)
    table.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE repeated AS SELECT {column} AS key FROM data"  # noqa: S608 - names of our own
        f" WHERE {column} IS NOT NULL GROUP BY {column} HAVING count(*) > 1"
    )
    return f"({column} IS NULL OR {column} IN (SELECT key FROM temp.repeated))"  # noqa: S608 - names of our own
