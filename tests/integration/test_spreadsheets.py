"""Spreadsheets become tables: which sheet, which row names the columns, and what is refused with its reason."""

import contextlib
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import xlsxwriter

from maos.analysis_parameters import TableSource
from maos.dataset_notes import source_note
from maos.datasets import ColumnKind, DatasetFacts, DatasetFormat
from maos.errors import BadInput
from maos.settings import Settings
from tasks.analysis_tables import load_tables, profiled_table, source_file
from tasks.datasets import inspect_dataset, materialise, open_file
from tasks.readings import number_of

MakeSheets = Callable[[xlsxwriter.Workbook], None]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "data").mkdir()
    return Settings(home=tmp_path / "home", dataset_roots=[tmp_path / "data"])


def workbook(settings: Settings, make: MakeSheets, name: str = "orders.xlsx") -> Path:
    path = settings.dataset_roots[0] / name
    with xlsxwriter.Workbook(path) as book:
        make(book)
    return path


def inspect(settings: Settings, dataset: str = "orders.xlsx") -> DatasetFacts:
    return inspect_dataset(dataset, org="demo", settings=settings)


def rows_of(settings: Settings, tmp_path: Path, dataset: str = "orders.xlsx") -> list[tuple[object, ...]]:
    file = materialise(dataset, org="demo", folder=tmp_path / "run", settings=settings)
    with open_file(file) as table:
        return table.connection.execute("SELECT * FROM data").fetchall()


def refused(settings: Settings, dataset: str = "orders.xlsx") -> str:
    with pytest.raises(BadInput) as error:
        inspect(settings, dataset)
    assert (error.value.field, error.value.value) == ("dataset", dataset)
    return error.value.allowed


def with_orders(book: xlsxwriter.Workbook) -> None:
    """A sheet of notes, one that is hidden, and one with a title, an offset, typed cells and a formula."""
    book.add_worksheet("Notes")
    hidden = book.add_worksheet("Old")
    hidden.write_column(0, 0, ["amount", 999])
    hidden.hide()
    sheet = book.add_worksheet("Orders")
    sheet.write(1, 0, "Orders of 2024")
    sheet.write_row(4, 1, ["order_id", "day", "paid", "amount", "taxed", "remark"])
    day, moment = book.add_format({"num_format": "d.m.yy"}), book.add_format({"num_format": "yyyy-mm-dd hh:mm"})
    for row, (number, amount) in enumerate([(1, 0.1 + 0.2), (2, 1200.0), (3, 7.25)], start=5):
        sheet.write(row, 1, number)
        sheet.write_datetime(row, 2, datetime(2024, 1, number, 9 if number == 3 else 0), moment if number == 3 else day)
        sheet.write_boolean(row, 3, number == 2)
        sheet.write(row, 4, amount)
        # The value that is kept beside the formula; none is ever computed here.
        sheet.write_formula(row, 5, f"=E{row + 1}*2", None, amount * 2)
    sheet.write_string(5, 6, '=HYPERLINK("http://evil.example","open")')
    sheet.write_string(6, 6, 'said "a;b",\nthen left')


def test_cells_arrive_as_a_csv_file_would_have_them(settings: Settings, tmp_path: Path) -> None:
    workbook(settings, with_orders)

    assert rows_of(settings, tmp_path) == [
        ("1", "2024-01-01", "false", "0.3", "0.6", '=HYPERLINK("http://evil.example","open")'),
        ("2", "2024-01-02", "true", "1200", "2400", 'said "a;b",\nthen left'),
        ("3", "2024-01-03 09:00:00", "false", "7.25", "14.5", None),
    ]


def test_the_first_sheet_with_a_table_is_read_and_named(settings: Settings) -> None:
    path = workbook(settings, with_orders)

    facts = inspect(settings)

    assert (facts.format, facts.row_count, facts.size) == (DatasetFormat.EXCEL, 3, path.stat().st_size)
    assert [(each.name, each.kind) for each in facts.columns] == [
        ("order_id", ColumnKind.NUMBER),
        ("day", ColumnKind.DATE),
        ("paid", ColumnKind.BOOLEAN),
        ("amount", ColumnKind.NUMBER),
        ("taxed", ColumnKind.NUMBER),
        ("remark", ColumnKind.TEXT),
    ]
    assert facts.column("day").maximum == str(date(2024, 1, 3))
    assert source_note(facts) == f"orders.xlsx, sheet “Orders” from row 5 (EXCEL, {facts.size:,} bytes)"


def test_another_sheet_is_read_where_it_is_named_even_a_hidden_one(settings: Settings) -> None:
    workbook(settings, with_orders)

    facts = inspect(settings, "orders.xlsx#Old")

    assert (facts.display_name, facts.files[0].sheet, facts.column("amount").minimum) == ("orders.xlsx", "Old", "999")


def test_sums_are_those_of_the_sheet(settings: Settings, tmp_path: Path) -> None:
    def numbers(book: xlsxwriter.Workbook) -> None:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["n", "half"])
        for row in range(1, 5001):
            sheet.write_row(row, 0, [row, row / 2])

    workbook(settings, numbers)
    file = materialise("orders.xlsx", org="demo", folder=tmp_path / "run", settings=settings)

    with open_file(file) as table:
        sums = table.connection.execute(f"SELECT count(*), sum({number_of('c0')}), sum({number_of('c1')}) FROM data")
        assert sums.fetchall() == [(5000, Decimal(12502500), Decimal(6251250))]


def test_two_sheets_are_two_tables_of_an_analysis(settings: Settings, tmp_path: Path) -> None:
    workbook(settings, with_orders)
    sheets = {"orders": "orders.xlsx", "old": "orders.xlsx#Old"}
    sources = [
        TableSource(name=name, dataset=dataset, digest=inspect(settings, dataset).sha256)
        for name, dataset in sheets.items()
    ]
    files = [source_file(source, org="demo", folder=tmp_path / "run", settings=settings) for source in sources]
    tables = [profiled_table(source, file) for source, file in zip(sources, files, strict=True)]

    load_tables(list(zip(tables, files, strict=True)), tmp_path / "tables.duckdb")

    with duckdb.connect(str(tmp_path / "tables.duckdb"), read_only=True) as connection:
        found = connection.execute("SELECT sum(amount), count(*) FILTER (WHERE paid), max(day) FROM orders").fetchall()
        assert found == [(Decimal("1207.55"), 1, date(2024, 1, 3))]
        assert connection.execute("SELECT sum(amount) FROM old").fetchall() == [(999,)]


def test_a_sheet_that_is_not_there_or_has_no_table_is_refused(settings: Settings) -> None:
    workbook(settings, with_orders)

    assert "no sheet “Order”, but: Notes, Old, Orders" in refused(settings, "orders.xlsx#Order")
    assert "the sheet “Notes” has no row below" in refused(settings, "orders.xlsx#Notes")
    workbook(settings, lambda book: book.add_worksheet().write(0, 0, "amount"), "header.xlsx")
    assert "no sheet has a row below" in refused(settings, "header.xlsx")


def test_a_sheet_of_what_is_no_spreadsheet_is_refused(settings: Settings) -> None:
    (settings.dataset_roots[0] / "orders.xlsx").write_text("a,b\n1,2\n")

    # What a file is, its content says.
    assert inspect(settings).format is DatasetFormat.CSV
    assert "a spreadsheet, where a sheet of it is named" in refused(settings, "orders.xlsx#Orders")


def test_other_archives_and_protected_or_damaged_files_are_refused_with_the_reason(settings: Settings) -> None:
    folder = settings.dataset_roots[0]
    whole = workbook(settings, with_orders).read_bytes()
    with zipfile.ZipFile(folder / "letters.zip", "w") as archive:
        archive.writestr("letter.txt", "a,b\n1,2\n")
    (folder / "locked.xlsx").write_bytes(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1024) + "EncryptedPackage".encode("utf-16-le")
    )
    (folder / "old.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096))
    (folder / "cut.xlsx").write_bytes(whole[: len(whole) // 2])

    assert "it is a zip archive, and no spreadsheet" in refused(settings, "letters.zip")
    assert "it is protected by a password" in refused(settings, "locked.xlsx")
    assert "it cannot be read" in refused(settings, "old.xls")
    assert "it is a damaged spreadsheet" in refused(settings, "cut.xlsx")


@pytest.mark.parametrize("position", range(0, 100, 7))
def test_damage_anywhere_is_refused_or_harmless_and_never_crashes(settings: Settings, position: int) -> None:
    path = workbook(settings, with_orders)
    content = bytearray(path.read_bytes())
    at = len(content) * position // 100
    content[at : at + 40] = bytes(40)
    path.write_bytes(content)

    with contextlib.suppress(BadInput):
        assert inspect(settings).row_count


def _repacked(path: Path, name: str, change: Callable[[str], str]) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {each: archive.read(each) for each in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, content in parts.items():
            archive.writestr(each, change(content.decode()) if each == name else content)


def test_a_file_that_unpacks_to_gigabytes_is_refused_unread(settings: Settings) -> None:
    path = workbook(settings, with_orders)
    block = bytes(1 << 20)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/pad.xml", "w") as pad:
        for _ in range(1000):
            pad.write(block)

    assert path.stat().st_size < 2_000_000
    assert "it unpacks to more than 1,000,000,000 bytes" in refused(settings)


def test_a_sheet_whose_corners_are_too_far_apart_ends_its_own_process_only(settings: Settings) -> None:
    path = workbook(settings, lambda book: book.add_worksheet().write_column(0, 0, ["amount", 1]))
    corner = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData>'
    _repacked(path, "xl/worksheets/sheet1.xml", lambda sheet: sheet.replace("</sheetData>", corner))

    assert "too much time or memory" in refused(settings)


def test_a_part_that_names_another_file_reads_nothing_of_this_machine(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("TOP-SECRET")
    path = workbook(settings, lambda book: book.add_worksheet().write_column(0, 0, ["word", "here"]))
    entity = f'<!DOCTYPE sst [<!ENTITY x SYSTEM "file://{tmp_path / "secret"}">]><sst'
    _repacked(path, "xl/sharedStrings.xml", lambda text: text.replace("<sst", entity).replace("here", "&x;"))

    try:
        rows = rows_of(settings, tmp_path)
    except BadInput as error:
        rows = [(str(error),)]
    assert "TOP-SECRET" not in str(rows)
