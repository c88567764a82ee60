"""CSV files as they come: which delimiter, which columns, and which lines are no row of the table.

Python's parser decides what is a row: the query engine loses good lines around bad ones without a word. A file that is
not wholly regular is copied without its bad lines. Where the engine finds as many rows as a plain file has lines, no
line can be a bad one, and Python's parser, which is thirty times slower, need not ask.
"""

import codecs
import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from maos.labels import distinct_names

_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 50
_CHUNK = 1 << 20
_MOST_COLUMNS = 1000
_NOT_PLAIN = (b"\0", codecs.BOM_UTF8, b' "', b'" ')
# What Python's parser takes as one value, at most; the query engine is held to the same.
LONGEST_VALUE = csv.field_size_limit()


class NotCsv(Exception):
    """The file is no CSV file that can be read; the text says why."""


@dataclass(frozen=True)
class CsvFile:
    """A CSV file whose every line after the first is a row."""

    path: Path
    delimiter: str
    names: tuple[str, ...]
    rows: int
    unreadable: int


def as_lines(path: Path) -> CsvFile:
    """Return what a plain file is, if each of its lines is a row: the query engine has to confirm their number.

    Raises:
        NotCsv: when that cannot be said of it.
    """
    lines = _lines_if_plain(path)
    if lines is None:
        raise NotCsv("it is not plain")
    delimiter = _delimiter_of(path)
    with _open(path) as file:
        header = next(_records(file, delimiter), None)
    if header is None or not 1 < len(header) <= _MOST_COLUMNS:
        raise NotCsv("its first line does not name the columns")
    return CsvFile(path, delimiter, distinct_names(header), rows=lines - 1, unreadable=0)


def settle(path: Path, scratch: Path) -> CsvFile:
    """Find out how a file is written, and copy it to the scratch folder if it is not regular.

    Raises:
        NotCsv: when the file is no text in UTF-8, or has no columns.
    """
    try:
        delimiter = _delimiter_of(path)
        header, rows, unreadable, regular = _survey(path, delimiter)
    except UnicodeDecodeError:
        raise NotCsv("it is not text in UTF-8") from None
    names = distinct_names(header)
    if regular and _lines_if_plain(path) is not None:
        return CsvFile(path, delimiter, names, rows, unreadable)
    return CsvFile(_copied(path, scratch / "regular.csv", delimiter), ",", names, rows, unreadable)


class _Feed(Iterator[str]):
    """Lines that remember what was taken, so that it can be given back."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._again: list[str] = []
        self.taken: list[str] = []

    def __next__(self) -> str:
        line = self._again.pop() if self._again else next(self._lines)
        if "\0" in line:
            raise NotCsv("it is not text")
        self.taken.append(line)
        return line

    def give_back_all_but_one(self) -> None:
        """A quotation mark that is never closed shall cost its own line, not the lines it swallowed."""
        self._again.extend(reversed(self.taken[1:]))


def _records(lines: Iterable[str], delimiter: str) -> Iterator[list[str] | None]:
    """Yield records: blank lines are empty, lines that are no row of the header's width are nothing."""
    feed = _Feed(lines)
    reader = csv.reader(feed, delimiter=delimiter, strict=True, skipinitialspace=True)
    width = 0
    while True:
        feed.taken.clear()
        try:
            record: list[str] = next(reader)
        except StopIteration:
            return
        except csv.Error:
            feed.give_back_all_but_one()
            yield None
            continue
        width = width or len(record)
        if record and (len(record) < width or any(record[width:])):
            feed.give_back_all_but_one()
            yield None
        else:
            yield record


def _open(path: Path) -> TextIO:
    return path.open(encoding="utf-8-sig", newline="")


def _delimiter_of(path: Path) -> str:
    with _open(path) as file:
        sample = list(islice(file, _SAMPLE_LINES))
    return max(_DELIMITERS, key=lambda delimiter: _agreement(sample, delimiter))


def _agreement(sample: list[str], delimiter: str) -> tuple[int, int]:
    rows = [record for record in _records(sample, delimiter) if record]
    width = len(rows[0]) if rows else 0
    return (len(rows), width) if width > 1 else (0, 0)


def _survey(path: Path, delimiter: str) -> tuple[list[str], int, int, bool]:
    rows = unreadable = 0
    with _open(path) as file:
        records = _records(file, delimiter)
        header, blank_before = next(
            ((record, at > 0) for at, record in enumerate(records) if record != []), (None, False)
        )
        if header is None or len(header) > _MOST_COLUMNS:
            raise NotCsv("its first line does not name the columns")
        # A blank line is a row of nothing where there is one column, and nothing where there are more.
        regular = len(header) > 1 and not blank_before
        for record in records:
            if record is None:
                unreadable += 1
            elif record:
                rows += 1
            regular = regular and record is not None and len(record) == len(header)
    return header, rows, unreadable, regular


def _lines_if_plain(path: Path) -> int | None:
    """Return how many lines a file has, or nothing where Python and the query engine could read them differently.

    Plain are lines of UTF-8 that all end in one way, without a byte order mark, null bytes, or blanks beside quotation
    marks.
    """
    decode = codecs.getincrementaldecoder("utf-8")().decode
    returns = feeds = pairs = 0
    last = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            seam = last + chunk[:1]
            if any(mark in chunk or mark in seam for mark in _NOT_PLAIN) or not _decodes(decode, chunk):
                return None
            feeds += chunk.count(b"\n")
            if b"\r" in chunk or last == b"\r":
                returns += chunk.count(b"\r")
                pairs += chunk.count(b"\r\n") + (seam == b"\r\n")
            last = chunk[-1:]
    plain = returns in (0, pairs) and (returns == 0 or feeds == pairs)
    return feeds + (last != b"\n") if plain and _decodes(decode, b"", final=True) else None


def _decodes(decode: Callable[[bytes, bool], str], chunk: bytes, *, final: bool = False) -> bool:
    try:
        decode(chunk, final)
    except UnicodeDecodeError:
        return False
    return True


def _copied(path: Path, copy: Path, delimiter: str) -> Path:
    with _open(path) as source, copy.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target, lineterminator="\n")
        width = 0
        for record in _records(source, delimiter):
            if record:
                width = width or len(record)
                writer.writerow(record[:width])
    return copy
