"""Rows of an open table that are repeated in full: counted, and left out."""

from collections.abc import Sequence

from maos.datasets import DatasetFacts
from maos.metrics import DatasetProfile
from tasks.known_contents import KnownContents
from tasks.tables import Table, quoted

# More of them are looked for again rather than remembered.
_FEW = 100_000
# No column of a table is called so: names are stripped.
_WHOLE = quoted(" ")
_KEYS: KnownContents[list[str]] = KnownContents()


def repeated_rows(table: Table, facts: DatasetFacts) -> int:
    """Return how many rows are the same as one before."""
    # Of the view `data` the values of every row would be trimmed before it is asked for the condition.
    texts = ", ".join(f"{text} AS c{index}" for index, text in enumerate(table.texts))
    suspects = f"SELECT {texts} FROM raw WHERE {_suspected(table, facts, table.texts)}"  # noqa: S608 - names of our own
    counted = f"SELECT count(*) AS n FROM ({suspects}) GROUP BY {', '.join(_columns(table))}"  # noqa: S608 - as above
    found = table.connection.execute(f"SELECT coalesce(sum(n - 1), 0)::BIGINT FROM ({counted})").fetchall()  # noqa: S608
    return int(found[0][0])


def create_from_rows(table: Table, profile: DatasetProfile, *, name: str, terms: str, temporary: bool) -> None:
    """Create a table of terms over the rows that count: what is the same row twice counts once."""
    created = f"CREATE {'TEMP' if temporary else ''} TABLE {name} AS SELECT {terms}"
    if not (profile.duplicates_dropped and profile.duplicate_rows):
        table.connection.execute(f"{created} FROM data")
        return
    columns = _columns(table)
    suspected = _suspected(table, profile.facts, columns)
    whole = f"CASE WHEN {suspected} THEN row({', '.join(columns)}) END AS {_WHOLE}"
    table.connection.execute(f"{created}, {whole} FROM data")
    copies = f"SELECT rowid, row_number() OVER (PARTITION BY {_WHOLE}) AS copy FROM {name} WHERE {_WHOLE} IS NOT NULL"  # noqa: S608
    table.connection.execute(f"DELETE FROM {name} WHERE rowid IN (SELECT rowid FROM ({copies}) WHERE copy > 1)")  # noqa: S608
    table.connection.execute(f"ALTER TABLE {name} DROP COLUMN {_WHOLE}")


def _columns(table: Table) -> list[str]:
    return [f"c{index}" for index in range(len(table.names))]


def _suspected(table: Table, facts: DatasetFacts, texts: Sequence[str]) -> str:
    """Return the condition of the rows that may be repeated: those whose likeliest key is, so that few are compared.

    Args:
        texts: the SQL of each column's text.
    """
    index, key = max(enumerate(facts.columns), key=lambda column: column[1].distinct)
    if key.distinct == facts.row_count:
        return "false"
    if key.distinct * 2 < facts.row_count:
        return "true"
    _find_repeated_keys(table, f"c{index}", facts.content)
    found = f"{texts[index]} IN (SELECT key FROM temp.repeated)"  # noqa: S608 - names of our own
    return f"({texts[index]} IS NULL OR {found})" if key.missing else found


def _find_repeated_keys(table: Table, column: str, content: str) -> None:
    """Create the table of the values of a column that several rows have."""
    known = _KEYS.get(content)
    if known is not None:
        table.connection.execute("CREATE OR REPLACE TEMP TABLE repeated AS SELECT unnest(?::VARCHAR[]) AS key", [known])
        return
    table.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE repeated AS SELECT {column} AS key FROM data"  # noqa: S608 - names of our own
        f" WHERE {column} IS NOT NULL GROUP BY {column} HAVING count(*) > 1"
    )
    found = table.connection.execute(f"SELECT key FROM temp.repeated LIMIT {_FEW + 1}").fetchall()  # noqa: S608
    if len(found) <= _FEW:
        _KEYS.keep(content, [key for (key,) in found])
