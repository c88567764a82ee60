"""Files as they come become tables: formats, hostile names, dirty rows, damaged files."""

import contextlib
import csv
import io
import json
from pathlib import Path
from random import Random

import duckdb
import pytest

from maos.datasets import ColumnKind, DatasetFacts, DatasetFormat
from maos.errors import BadInput
from maos.settings import Settings
from tasks.csv_files import settle
from tasks.datasets import inspect_dataset
from tasks.tables import open_table

HOSTILE = ('x"; DROP VIEW data; --', "a'b", "c\\d", "select", "e;f", "ключ", "{index}", "g%s", "   h  ", "null")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def inspect(path: Path) -> DatasetFacts:
    settings = Settings(home=path.parent.parent / "home", dataset_roots=[path.parent])
    return inspect_dataset(path.name, org="demo", settings=settings)


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows_of(path: Path, format_: DatasetFormat = DatasetFormat.CSV) -> list[tuple[object, ...]]:
    with open_table(path, dataset=path.name, format_=format_) as table:
        return table.connection.execute("SELECT * FROM data").fetchall()


RECORDS = [
    {"region": "North, upper", "day": "2024-01-31", "revenue": 10.5, "ok": True},
    {"region": 'South "S"', "day": "2024-02-29", "revenue": -3, "ok": False},
    {"region": None, "day": None, "revenue": None, "ok": None},
]
CELLS = [["North, upper", "2024-01-31", "10.5", "true"], ['South "S"', "2024-02-29", "-3", "false"], ["", "", "", ""]]


def as_csv(delimiter: str, end: str = "\n") -> str:
    target = io.StringIO()
    writer = csv.writer(target, delimiter=delimiter, lineterminator=end)
    writer.writerows([list(RECORDS[0]), *CELLS])
    return target.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("comma.csv", as_csv(",")),
        ("semicolon.csv", as_csv(";")),
        ("tab.tsv", as_csv("\t")),
        ("pipe.txt", as_csv("|")),
        ("windows.csv", as_csv(",", "\r\n")),
        ("old_mac.csv", as_csv(",", "\r")),
        ("with_mark.csv", "\ufeff" + as_csv(",")),
        ("no_extension", as_csv(",")),
        ("array.json", json.dumps(RECORDS)),
        ("lines.jsonl", "\n".join(map(json.dumps, RECORDS))),
        ("unnamed_json", json.dumps(RECORDS)),
    ],
)
def test_the_same_table_has_the_same_facts_in_every_format(folder: Path, name: str, content: str) -> None:
    facts = inspect(written(folder, name, content))

    assert facts.row_count == 3
    assert [
        (each.name, each.kind, each.missing, each.distinct, each.minimum, each.maximum) for each in facts.columns
    ] == [
        ("region", ColumnKind.TEXT, 1, 2, None, None),
        ("day", ColumnKind.DATE, 1, 2, "2024-01-31", "2024-02-29"),
        ("revenue", ColumnKind.NUMBER, 1, 2, "-3", "10.5"),
        ("ok", ColumnKind.BOOLEAN, 1, 2, None, None),
    ]


def test_a_parquet_file_keeps_its_numbers_exact(folder: Path) -> None:
    path = folder / "typed.parquet"
    duckdb.sql(
        'SELECT 0.1::DOUBLE AS d, 12.50::DECIMAL(9, 2) AS "quo""te", DATE \'2024-05-05\' AS day,'
        " TIMESTAMPTZ '2024-01-01 23:00:00+00' AS moment, 9007199254740993 AS big, [1, 2] AS many"
    ).write_parquet(str(path))

    facts = inspect(path)

    assert [(each.name, each.kind, each.minimum) for each in facts.columns] == [
        ("d", ColumnKind.NUMBER, "0.1"),
        ('quo"te', ColumnKind.NUMBER, "12.5"),
        ("day", ColumnKind.DATE, "2024-05-05"),
        ("moment", ColumnKind.DATE, "2024-01-01"),
        ("big", ColumnKind.NUMBER, "9007199254740993"),
        ("many", ColumnKind.TEXT, None),
    ]


@pytest.mark.parametrize("format_", ["csv", "json", "parquet"])
def test_names_of_columns_are_names_and_no_commands(folder: Path, format_: str) -> None:
    path = folder / f"hostile.{format_}"
    if format_ == "csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([HOSTILE, range(len(HOSTILE))])
    elif format_ == "json":
        path.write_text(json.dumps([{name: index for index, name in enumerate(HOSTILE)}]))
    else:
        columns = ", ".join(f'{index} AS "{name.replace(chr(34), chr(34) * 2)}"' for index, name in enumerate(HOSTILE))
        duckdb.sql(f"SELECT {columns}").write_parquet(str(path))

    facts = inspect(path)

    assert [each.name for each in facts.columns] == [name.strip() for name in HOSTILE]
    assert [each.minimum for each in facts.columns] == [str(index) for index in range(len(HOSTILE))]


def test_columns_without_a_name_or_with_the_same_are_told_apart(folder: Path) -> None:
    facts = inspect(written(folder, "names.csv", "a,a,A,, \n1,2,3,4,5\n"))

    assert [each.name for each in facts.columns] == ["a", "a_2", "A_3", "column_4", "column_5"]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.csv", b"", "it is empty"),
        ("blank.csv", b" \n\n \n", "it is empty"),
        ("header.csv", b"a,b\n", "at least one row"),
        ("latin.csv", "city,n\nMünchen,1\n".encode("latin-1"), "it is not text in UTF-8"),
        ("sixteen.csv", "a,b\n1,2\n".encode("utf-16"), "it is not text in UTF-8"),
        ("null.csv", b"a,b\n1\x00,2\n", "it is not text"),
        ("zipped.csv", b"PK\x03\x04rest", "it is a damaged spreadsheet or zip archive"),
        ("packed.csv.gz", b"\x1f\x8brest", "it is compressed"),
        ("page.csv", b"<!DOCTYPE html><html></html>", "it is a web page"),
        ("numbers.json", b"[1, 2, 3]", "non-record JSON"),
        ("cut.json", b'[{"a": 1}, {"a":', "Malformed JSON"),
        ("no_records.json", b"[]", "non-record JSON"),
        ("cut.parquet", b"PAR1 and nothing else", "data.parquet"),
        ("no.parquet", b"region,revenue\n1,2\n", "data.parquet"),
        ("wide.csv", (",".join("c" * 1001) + "\n1\n").encode(), "does not name the columns"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_the_reason(
    folder: Path, name: str, content: bytes, reason: str
) -> None:
    with pytest.raises(BadInput) as refused:
        inspect(written(folder, name, content))

    assert (refused.value.field, refused.value.value) == ("dataset", name)
    assert reason in refused.value.allowed


def test_a_damaged_parquet_file_is_refused_or_read_but_never_crashes(folder: Path) -> None:
    whole = folder / "whole.parquet"
    duckdb.sql("SELECT range AS n, 'x' || range AS t FROM range(5000)").write_parquet(str(whole))
    content = whole.read_bytes()
    random = Random(1)  # noqa: S311 - the same damage every time

    for number in range(60):
        damaged = bytearray(content)
        for _ in range(5):
            damaged[int(random.random() * len(damaged))] = int(random.random() * 256)
        with contextlib.suppress(BadInput):
            inspect(written(folder, f"damaged-{number}.parquet", bytes(damaged)))


@pytest.mark.parametrize(
    ("content", "rows", "unreadable"),
    [
        ("a,b,c\n1,2,3\n4,5\n6,7,8\n", [("1", "2", "3"), ("6", "7", "8")], 1),
        ("a,b,c\n1,2,3,4\n6,7,8\n", [("6", "7", "8")], 1),
        ("a,b,c\n1,2,3,\n4,5,6,,\n7,8,9\n", [("1", "2", "3"), ("4", "5", "6"), ("7", "8", "9")], 0),
        ('a,b\n1,"never closed\n2,y\n3,z\n', [("2", "y"), ("3", "z")], 1),
        ('a,b\n1,"bad"quote\n2,y\n', [("2", "y")], 1),
        ('a,b\n1,in "the" middle\n2,y\n', [("1", 'in "the" middle'), ("2", "y")], 0),
        ('a,b\n1,"two\nlines"\n2,y\n', [("1", "two\nlines"), ("2", "y")], 0),
        ("a,b\r\n1,x\n2,y\r\n", [("1", "x"), ("2", "y")], 0),
        ("\n\na,b\n\n1,x\n\n", [("1", "x")], 0),
        ("a\n1\n\n2\n", [("1",), ("2",)], 0),
        ("a,b\n#1,x\n2,y", [("#1", "x"), ("2", "y")], 0),
        ("a,b\n  1 ,\t x\n ,\n", [("1", "x"), (None, None)], 0),
        ("a;b\n1,5;x\n2,5;y\n", [("1,5", "x"), ("2,5", "y")], 0),
    ],
)
def test_lines_that_are_no_rows_are_counted_and_cost_no_other_row(
    folder: Path, content: str, rows: list[tuple[str | None, ...]], unreadable: int
) -> None:
    path = written(folder, "ragged.csv", content)

    assert rows_of(path) == rows
    with open_table(path, dataset="ragged.csv", format_=DatasetFormat.CSV) as table:
        assert table.unreadable == unreadable


@pytest.mark.parametrize("seed", range(60))
def test_no_row_of_a_random_file_is_lost_or_changed(folder: Path, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - the same files every time
    delimiter = ",;\t|"[int(random.random() * 4)]
    pieces = ["x", "1.5", '"', "'", "\n", "\r\n", "ä", "\\", delimiter, "#", " y"]

    def cell() -> str:
        return "".join(pieces[int(random.random() ** 2 * len(pieces))] for _ in range(int(random.random() * 5)))

    rows = [[f"k{number}", *(cell() for _ in range(3))] for number in range(300)]
    target = io.StringIO()
    writer = csv.writer(target, delimiter=delimiter, lineterminator="\n")
    writer.writerow(["key", "a", "b", "c"])
    bad = 0
    for row in rows:
        if random.random() < 0.1:
            bad += 1
            target.write(f"bad{delimiter}line\n")
        writer.writerow(row)
    path = written(folder, "random.csv", target.getvalue())

    found = rows_of(path)

    assert [row for row in found if str(row[0]).startswith("k")] == [_trimmed(row) for row in rows]
    assert settle(path, folder).unreadable == bad


def _trimmed(row: list[str]) -> tuple[str | None, ...]:
    return tuple(cell.strip(" \t\r\n") or None for cell in row)


def test_a_file_of_many_blocks_loses_no_row_around_its_bad_ones(folder: Path) -> None:
    path = folder / "large.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("a,b,c\n")
        for number in range(700_000):
            file.write("1,2\n" if number % 3 == 0 else f"{number},value of {number},{number * 2}\n")

    with open_table(path, dataset="large.csv", format_=DatasetFormat.CSV) as table:
        found = table.connection.execute("SELECT count(*), sum(CAST(c0 AS BIGINT)) FROM data").fetchall()

    assert table.unreadable == 233_334
    assert found == [(466_666, sum(number for number in range(700_000) if number % 3))]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM glob('/etc/*')",
        "COPY (SELECT 1) TO '/tmp/maos-escape.csv'",
        "ATTACH '/tmp/maos-escape.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access=true",
        "SET threads=64",
    ],
)
def test_the_query_engine_reaches_nothing_but_the_data_set(folder: Path, query: str) -> None:
    path = written(folder, "small.csv", "a,b\n1,2\n")

    with (
        open_table(path, dataset="small.csv", format_=DatasetFormat.CSV) as table,
        pytest.raises(duckdb.Error, match=r"(?i)permission|cannot|disabled|locked"),
    ):
        table.connection.execute(query).fetchall()


@pytest.mark.parametrize(
    ("texts", "kind", "unparsable"),
    [
        (["1", "-2.5", "+3", ".5", "1e3"], ColumnKind.NUMBER, 0),
        (["1"] * 9 + ["n/a"], ColumnKind.NUMBER, 1),
        (["nan", "inf", "0x10", "1_000", "1,000"], ColumnKind.TEXT, 0),
        (["1e18", "9" * 30, *["5"] * 18], ColumnKind.NUMBER, 2),
        (
            ["2024-01-31", "2024/02/01", "2024-02-01T10:00:00Z", "2024-02-01 10:00:00+02", "1.2.2024"],
            ColumnKind.DATE,
            0,
        ),
        (["2024-01", "2024-02"], ColumnKind.DATE, 0),
        (["2024-01-01"] * 18 + ["2024-02-30", "0024-01-01"], ColumnKind.DATE, 2),
        (["infinity", "epoch", "today"], ColumnKind.TEXT, 0),
        (["yes", "No", "TRUE"], ColumnKind.BOOLEAN, 0),
    ],
)
def test_values_are_read_as_what_they_are(folder: Path, texts: list[str], kind: ColumnKind, unparsable: int) -> None:
    path = written(folder, "values.json", json.dumps([{"v": text, "w": 1} for text in texts]))

    value = inspect(path).column("v")

    assert (value.kind, value.unparsable) == (kind, unparsable)
