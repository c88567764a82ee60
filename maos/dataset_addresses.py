"""How a request names a data set: a path or an address, and behind a `#` the sheet of a spreadsheet."""

import re
from typing import NamedTuple
from urllib.parse import unquote, urldefrag

from maos.errors import BadInput

_OBJECT = re.compile(r"s3://", re.IGNORECASE)
_WEB = re.compile(r"https?://", re.IGNORECASE)
# Elsewhere a `#` may be part of a name: of a file, of an object.
_SHEET = re.compile(r"(?P<place>.+\.(?:xlsx|xlsm|xlsb|xls|ods))#(?P<sheet>.+)", re.IGNORECASE | re.DOTALL)


class DatasetAddress(NamedTuple):
    """Where a data set is, and which sheet of it is meant; empty: the first with a table."""

    place: str
    sheet: str = ""


def address_of(dataset: str) -> DatasetAddress:
    """Return the address that a request writes: `orders.xlsx#2025` is the sheet `2025` of `orders.xlsx`."""
    if _WEB.match(dataset):
        try:
            place, fragment = urldefrag(dataset)
        except ValueError:
            return DatasetAddress(dataset)
        return DatasetAddress(place, unquote(fragment))
    found = _SHEET.fullmatch(dataset)
    return DatasetAddress(found["place"], found["sheet"]) if found else DatasetAddress(dataset)


def with_place(dataset: str, place: str) -> str:
    """Return a data set's name with another place and the same sheet."""
    sheet = address_of(dataset).sheet
    return f"{place}#{sheet}" if sheet else place


def is_object(place: str) -> bool:
    """Say whether a place is an object of a bucket."""
    return bool(_OBJECT.match(place))


def key_within(place: str, *, bucket: str, folder: str) -> str:
    """Return the key of an object, if it lies in a folder of a bucket.

    Raises:
        BadInput: when it does not.
    """
    name, _, key = _OBJECT.sub("", place, count=1).partition("/")
    inside = f"{folder.strip('/')}/" if folder.strip("/") else ""
    # Servers that keep objects as files would follow such steps, out of the folder.
    steps = {"", ".", ".."} & set(re.split(r"[/\\]", key))
    if name != bucket or not key.startswith(inside) or steps or not key.isprintable():
        raise BadInput("dataset", place, f"an object like s3://{bucket}/{inside}orders.csv")
    return key
