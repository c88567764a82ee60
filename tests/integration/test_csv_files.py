"""The query engine reads a CSV file as Python's parser does, whether the parser was asked or not."""

import csv
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from maos.datasets import DatasetFormat
from maos.errors import BadInput
from tasks.csv_files import NotCsv, as_lines, settle
from tasks.tables import open_table

Rows = list[tuple[str | None, ...]]

_PIECES = st.sampled_from(["x", "1.5", "ä", '"', '""', ",", ",", ";", "\t", " ", "\n", "\n", "\r\n", "'", "\\", "#"])
_RARE = st.sampled_from(["\r", "\0", "\ufeff", "\udc80", "x" * 140_000])
_TORN = st.lists(st.one_of(_PIECES, _PIECES, _PIECES, _PIECES, _RARE), max_size=24).map("".join)
_CELL = st.sampled_from(["", "x", "-1", "a b", '"a, b"', '"say ""so"" now"', '""', 'in "the" middle', "y ", " z", "ö"])
_LINES = st.lists(st.lists(_CELL, min_size=2, max_size=3).map(",".join), max_size=6)
_WHOLE = st.tuples(_LINES, st.sampled_from(["\n", "\r\n"]), st.booleans()).map(
    lambda made: "".join(made[1] + line for line in made[0]) + made[1] * made[2]
)


@settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(head=st.sampled_from(["a,b", "a,b,c", "a;b", "a", ""]), rest=st.one_of(_TORN, _WHOLE, _WHOLE))
@example(head="a,b", rest='\n1, "x, y"\n')
@example(head="a,b", rest='\n1,"x" \n2,y\n')
@example(head="a,b", rest="\n1,2,\n")
@example(head="a,b", rest="\n1,2, \n")
@example(head="a,b", rest="\n" + "x" * 140_000 + ",1\n2,3\n")
@example(head="a,b", rest='\n1,"two\nlines"\n')
def test_a_file_is_the_same_table_whether_or_not_the_parser_is_asked(head: str, rest: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "made.csv"
        path.write_bytes((head + rest).encode(errors="surrogateescape"))

        assert _opened(path) == _as_the_parser_says(path)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"a,b\n1,2\n3,4\n", 2),
        (b"a,b\r\n1,2\r\n3,4", 2),
        (b'a,b\n"1, 2",3\n"24""",4\n', 2),
        ("a;b\nä;ö\n".encode(), 1),
        # Only the query engine can tell that these are fewer rows.
        (b'a,b\n1,"two\nlines"\n', 2),
    ],
)
def test_each_line_of_a_plain_file_is_taken_for_a_row(tmp_path: Path, content: bytes, rows: int) -> None:
    path = tmp_path / "plain.csv"
    path.write_bytes(content)

    assert as_lines(path).rows == rows


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfa,b\n1,2\n",
        b"a,b\r1,2\r",
        b"a,b\n1,2\r\n",
        b"a,b\n1,\xff\n",
        b"a,b\n1,\xc3",
        b"a,b\n1,\0\n",
        b'a,b\n1, "2"\n',
        b'a,b\n1,"2" \n',
        b"a\n1\n",
        b"\na,b\n1,2\n",
    ],
)
def test_the_parser_is_asked_about_a_file_that_could_be_read_in_two_ways(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.csv"
    path.write_bytes(content)

    with pytest.raises(NotCsv):
        as_lines(path)


def _opened(path: Path) -> tuple[tuple[str, ...], int, Rows] | None:
    try:
        with open_table(path, dataset=path.name, format_=DatasetFormat.CSV) as table:
            return table.names, table.unreadable, table.connection.execute("SELECT * FROM data").fetchall()
    except BadInput:
        return None


def _as_the_parser_says(path: Path) -> tuple[tuple[str, ...], int, Rows] | None:
    with TemporaryDirectory() as scratch:
        try:
            settled = settle(path, Path(scratch))
        except NotCsv:
            return None
        with settled.path.open(encoding="utf-8", newline="") as file:
            records = [each for each in csv.reader(file, delimiter=settled.delimiter, skipinitialspace=True) if each]
    width = len(settled.names)
    rows = [tuple(cell.strip(" \t\r\n") or None for cell in record[:width]) for record in records[1:]]
    assert len(rows) == settled.rows
    return settled.names, settled.unreadable, rows
