"""How a request names a data set: a path or an address, and behind a `#` the sheet of a spreadsheet."""

import re
from typing import NamedTuple
from urllib.parse import unquote, urldefrag

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
