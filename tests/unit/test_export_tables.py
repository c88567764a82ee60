"""Cells that leave are text, whatever a spreadsheet would make of them."""

import pytest

from maos.export_tables import Cell, harmless


@pytest.mark.parametrize(
    "cell",
    [
        '=HYPERLINK("http://x")',
        "+1+cmd|' /C calc'!A0",
        "-1+1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "  =1",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff20A",
    ],
)
def test_a_cell_that_would_be_computed_is_shown_instead(cell: str) -> None:
    assert harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", " ", "write_narrative", "a=b", "'=1", "0", None, 0, -5])
def test_other_cells_stay_as_they_are(cell: Cell) -> None:
    assert harmless(cell) == cell
