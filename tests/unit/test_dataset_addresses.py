"""How a request names a data set: its place, a sheet of it, and what of a bucket is within a folder."""

import pytest

from maos.dataset_addresses import DatasetAddress, address_of, is_object, key_within, with_place
from maos.errors import BadInput


@pytest.mark.parametrize(
    ("place", "folder", "key"),
    [
        ("s3://warehouse/sales.csv", "", "sales.csv"),
        ("S3://warehouse/demo/sales.csv", "/demo/", "demo/sales.csv"),
        ("s3://warehouse/a/b/2024..csv", "a/b", "a/b/2024..csv"),
        ("s3://warehouse/demo/100% (1)?.csv", "demo", "demo/100% (1)?.csv"),
    ],
)
def test_a_key_within_the_folder_is_taken_by_the_letter(place: str, folder: str, key: str) -> None:
    assert is_object(place)
    assert key_within(place, bucket="warehouse", folder=folder) == key


@pytest.mark.parametrize(
    "place",
    [
        "s3://warehouse/other/a.csv",
        "s3://warehouse/demo/../other/a.csv",
        "s3://warehouse/demo/..",
        "s3://warehouse/demo\\..\\other/a.csv",
        "s3://warehouse/demo/..\\other/a.csv",
        "s3://warehouse/demo//a.csv",
        "s3://warehouse/demo/./a.csv",
        "s3://warehouse/demo/a\r\nb.csv",
        "s3://warehouse/demo/",
        "s3://warehouse/demo",
        "s3://Warehouse/demo/a.csv",
        "s3://other/demo/a.csv",
        "s3://",
    ],
)
def test_a_key_outside_of_the_folder_is_refused(place: str) -> None:
    with pytest.raises(BadInput, match=r"an object like s3://warehouse/demo/orders\.csv"):
        key_within(place, bucket="warehouse", folder="demo")


@pytest.mark.parametrize(
    ("dataset", "place", "sheet"),
    [
        ("orders.csv", "orders.csv", ""),
        ("folder/Orders 2024.XLSX#Q1 & Q2", "folder/Orders 2024.XLSX", "Q1 & Q2"),
        ("a#b.csv", "a#b.csv", ""),
        ("book.ods#a#b", "book.ods", "a#b"),
        ("s3://bucket/book.xlsx#One", "s3://bucket/book.xlsx", "One"),
        ("s3://bucket/key#with.csv", "s3://bucket/key#with.csv", ""),
        ("https://x.example/book?id=7#Q%201", "https://x.example/book?id=7", "Q 1"),
        ("http://[broken#x", "http://[broken#x", ""),
    ],
)
def test_a_sheet_is_named_behind_its_workbook(dataset: str, place: str, sheet: str) -> None:
    assert address_of(dataset) == DatasetAddress(place, sheet)


def test_a_copy_of_a_workbook_keeps_the_sheet_that_was_named() -> None:
    assert with_place("mine/book.xlsx#Orders", "/store/1a/book.xlsx") == "/store/1a/book.xlsx#Orders"
    assert with_place("mine/orders.csv", "/store/1a/orders.csv") == "/store/1a/orders.csv"
