"""Rows of an open table that are repeated in full: counted, and left out."""

from maos.datasets import DatasetFacts
from tasks.tables import Table


def repeated_rows(table: Table, facts: DatasetFacts) -> int:
    """Return how many rows are the same as one before."""
    columns = ", ".join(f"c{index}" for index in range(len(table.names)))
    suspects = _rows(table, _suspected(table, facts))
    found = table.connection.execute(
        f"SELECT coalesce(sum(n - 1), 0)::BIGINT FROM (SELECT count(*) AS n FROM ({suspects}) GROUP BY {columns})"  # noqa: S608
    ).fetchall()
    return int(found[0][0])


def rows_once(table: Table, facts: DatasetFacts) -> str:
    """Return the SQL of the rows, each once."""
    suspected = _suspected(table, facts)
    others = _rows(table, f"NOT ({suspected})")
    return f"({others} UNION ALL SELECT DISTINCT * FROM ({_rows(table, suspected)}))"  # noqa: S608 - names of our own


def _rows(table: Table, condition: str) -> str:
    # Of the view `data`, which would trim the values of every row before it asks for the condition.
    texts = ", ".join(f"{text} AS c{index}" for index, text in enumerate(table.texts))
    return f"SELECT {texts} FROM raw WHERE {condition}"  # noqa: S608 - names of our own


def _suspected(table: Table, facts: DatasetFacts) -> str:
    """Return the condition of the rows that may be repeated: those whose likeliest key is, so that few are compared."""
    index, key = max(enumerate(facts.columns), key=lambda column: column[1].distinct)
    if key.distinct == facts.row_count:
        return "false"
    if key.distinct * 2 < facts.row_count:
        return "true"
    table.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE repeated AS SELECT c{index} AS key FROM data"  # noqa: S608 - names of our own
        f" WHERE c{index} IS NOT NULL GROUP BY c{index} HAVING count(*) > 1"
    )
    text = table.texts[index]
    found = f"{text} IN (SELECT key FROM temp.repeated)"  # noqa: S608 - names of our own
    return f"({text} IS NULL OR {found})" if key.missing else found
