"""Where the table of a sheet is, and what its cells say."""

from datetime import date, datetime, time, timedelta

import pytest

from maos.sheets import Cell, SheetLayout, layout_of, text_of


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (1200.0, "1200"),
        (-0.0, "0"),
        (0.1 + 0.2, "0.3"),
        (19.989999999999998, "19.99"),
        (1e-7, "0.0000001"),
        (9007199254740991.0, "9007199254740991"),
        (1e300, "1e+300"),
        (7, "7"),
        (True, "true"),
        (False, "false"),
        (date(2024, 2, 29), "2024-02-29"),
        (datetime(2024, 2, 29), "2024-02-29"),
        (datetime(2024, 2, 29, 13, 5), "2024-02-29 13:05:00"),
        (time(13, 5), "13:05:00"),
        (timedelta(hours=36, seconds=7), "36:00:07"),
        ("=cmd|' /C calc'!A0", "=cmd|' /C calc'!A0"),
        ("two\r\nlines\rand\0", "two\nlines\nand"),
    ],
)
def test_a_cell_is_written_as_a_csv_file_has_it(cell: Cell, text: str) -> None:
    assert text_of(cell) == text


def test_titles_and_blank_rows_above_a_table_are_no_part_of_it() -> None:
    rows: list[list[Cell]] = [
        ["Sales of 2024", "", "", "", ""],
        ["as of", date(2025, 1, 3), "", "", ""],
        ["", "", "", "", ""],
        ["", "region", "day", "revenue", "units"],
        ["", "North", date(2024, 1, 5), 10.5, 1.0],
        ["", " ", "", "", ""],
        ["", "South", "", 3.0, ""],
    ]

    # The first column holds nothing but the title.
    assert layout_of(rows) == SheetLayout(header=3, columns=(1, 2, 3, 4), rows=2)


def test_a_table_of_one_column_begins_with_its_name() -> None:
    assert layout_of([[""], ["amount"], [1.0], [2.0]]) == SheetLayout(header=1, columns=(0,), rows=2)


def test_a_sheet_without_values_has_no_table() -> None:
    assert layout_of([]) is None
    assert layout_of([["", " "], ["\t", ""]]) is None
