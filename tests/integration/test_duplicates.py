"""Repeated rows are counted and left out exactly, whichever rows are compared."""

from pathlib import Path

import pytest

from maos.datasets import DatasetFacts, DatasetFormat
from maos.metrics import DatasetProfile
from tasks.columns import column_facts
from tasks.duplicates import create_from_rows, repeated_rows
from tasks.tables import open_table

_NO_KEY = [("x", "1"), ("x", "1"), ("x", "2"), ("y", "1"), ("x", "1"), ("x", "2")]
_UNIQUE = [("1", "x"), ("2", "x"), ("3", "x")]
# One row twice, one key for two rows, and rows without a key of which two are the same.
_KEY = [("1", "x"), ("1", " x"), ("2", "y"), ("2", "z"), ("3", "x"), ("", "x"), ("", "x"), ("", "z"), ("4", "x")]


@pytest.mark.parametrize(("rows", "repeated"), [(_NO_KEY, 3), (_UNIQUE, 0), (_KEY, 2)])
def test_repeated_rows_are_counted_and_left_out(tmp_path: Path, rows: list[tuple[str, str]], repeated: int) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("key,value\n" + "".join(f"{key},{value}\n" for key, value in rows), encoding="utf-8")

    with open_table(path, dataset=path.name, format_=DatasetFormat.CSV) as table:
        count, columns = column_facts(table)
        facts = DatasetFacts(
            source=path.name, format=DatasetFormat.CSV, sha256="", size=0, row_count=count, columns=columns
        )
        found = repeated_rows(table, facts)
        profile = DatasetProfile(facts=facts, duplicate_rows=found, duplicates_dropped=True)
        create_from_rows(table, profile, name="once", terms="c0, c1", temporary=True)
        once = table.connection.execute("SELECT * FROM once").fetchall()
        different = table.connection.execute("SELECT DISTINCT * FROM data").fetchall()

    assert found == repeated
    assert sorted(once, key=str) == sorted(different, key=str)
    assert len(once) == len(rows) - repeated


def test_a_table_of_many_columns_is_counted_whole(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("\n".join(",".join(f"{number * row}" for number in range(130)) for row in (1, 2, 3)) + "\n")

    with open_table(path, dataset=path.name, format_=DatasetFormat.CSV) as table:
        rows, columns = column_facts(table)

    assert rows == 2
    assert [(column.minimum, column.maximum) for column in columns] == [
        (str(number * 2), str(number * 3)) for number in range(130)
    ]
