"""An audit chain, or a stretch of one, as a file that anybody can check without our database: see `docs/audit.md`."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maos.audit import COLUMNS, FIRST_COLUMNS, ChainReader, Document, flat_json
from maos.canonical import canonical_json

FORMAT = "maos-audit-export"
VERSION = 1
_HASH = r"^[0-9a-f]{64}$"


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


L = TypeVar("L", bound=_Line)


class Header(_Line):
    """The first line: whose rows follow, which, and what the first one builds on."""

    format: str = Field(default=FORMAT, pattern=f"^{FORMAT}$")
    version: int = Field(default=VERSION, ge=1, le=VERSION)
    org: str = Field(description="Slug of the organisation.")
    org_id: str
    first: int = Field(ge=1, description="Sequence of the first row.")
    last: int = Field(ge=1)
    previous_hash: str = Field(pattern=_HASH)


class Footer(_Line):
    """The last line: how many rows stand before it, the hash of the last one, and a checksum of every byte before."""

    rows: int
    head: str = Field(pattern=_HASH)
    sha256: str = Field(pattern=_HASH)


class Finding(BaseModel):
    """The first thing that does not hold in a file."""

    model_config = ConfigDict(frozen=True)

    place: str
    reason: str


class Checked(BaseModel):
    """What came of checking a file."""

    model_config = ConfigDict(frozen=True)

    rows: int
    head: str
    header: Header | None = None
    finding: Finding | None = None


def header_of(org: str, org_id: UUID, *, first: int, last: int, previous_hash: str) -> Header:
    """Return the header of an export."""
    return Header(org=org, org_id=str(org_id), first=first, last=last, previous_hash=previous_hash)


def export_lines(header: Header, rows: Iterable[tuple[Document, str]]) -> Iterator[bytes]:
    """Yield the lines of an export, one row at a time."""
    checksum, count, head = hashlib.sha256(), 0, header.previous_hash
    line = _line(header)
    for document, row_hash in rows:
        checksum.update(line)
        yield line
        count, head = count + 1, row_hash
        line = f"{flat_json({**document, 'row_hash': row_hash})}\n".encode()
    checksum.update(line)
    yield line
    yield _line(Footer(rows=count, head=head, sha256=checksum.hexdigest()))


def _line(model: BaseModel) -> bytes:
    return f"{canonical_json(model.model_dump())}\n".encode()


def check_export(lines: Iterable[bytes], *, known_head: str | None = None) -> Checked:
    """Check the lines of an export; constant in memory.

    Args:
        known_head: the hash of the last row, as it is known from elsewhere: what alone shows that whoever mended the
            footer has also removed rows at the end.
    """
    return _ExportReader(known_head).read(iter(lines))


class _ExportReader:
    """Reads an export line by line until something does not hold."""

    def __init__(self, known_head: str | None) -> None:
        self._known_head = known_head
        self._checksum = hashlib.sha256()
        self._chain = ChainReader()
        self._header: Header | None = None
        self._rows = 0

    def read(self, lines: Iterator[bytes]) -> Checked:
        finding = self._read_header(next(lines, b"")) or self._read_rows(lines)
        return Checked(rows=self._rows, head=self._chain.row_hash, header=self._header, finding=finding)

    def _read_header(self, line: bytes) -> Finding | None:
        header = _parsed(line, Header)
        if not isinstance(header, Header):
            return Finding(place="header", reason=header)
        self._header = header
        self._chain = ChainReader(sequence=header.first - 1, row_hash=header.previous_hash)
        self._checksum.update(line)
        return None

    def _read_rows(self, lines: Iterator[bytes]) -> Finding | None:
        for line in lines:
            if line.startswith(b'{"head":'):
                return self._read_footer(line, next(lines, None))
            if finding := self._read_row(line):
                return finding
            self._checksum.update(line)
        return Finding(place=f"row {self._chain.sequence + 1}", reason="the file ends here, without a footer")

    def _read_row(self, line: bytes) -> Finding | None:
        place = f"row {self._chain.sequence + 1}"
        try:
            row = json.loads(line)
        except ValueError:
            return Finding(place=place, reason="the line is no JSON")
        if reason := row_fault(row):
            return Finding(place=place, reason=reason)
        if f"{flat_json(row)}\n".encode() != line:
            return Finding(place=place, reason="the line is not as maos writes it")
        row_hash = row.pop("row_hash")
        if fault := self._chain.read(row, row_hash):
            return Finding(place=f"row {fault.sequence}", reason=fault.reason)
        if self._header and row["org_id"] != self._header.org_id:
            return Finding(place=place, reason="the row is another organisation's than the header says")
        self._rows += 1
        return None

    def _read_footer(self, line: bytes, following: bytes | None) -> Finding | None:
        footer = _parsed(line, Footer)
        if not isinstance(footer, Footer):
            return Finding(place="footer", reason=footer)
        last, chain = self._header.last if self._header else 0, self._chain
        if chain.sequence != last:
            return Finding(
                place=f"row {chain.sequence + 1}", reason=f"it is missing; the header says the last is {last}"
            )
        faults = {
            "the head is not the hash of the last row": footer.head != chain.row_hash,
            "the number of rows is another": footer.rows != self._rows,
            "the checksum of the file is another": footer.sha256 != self._checksum.hexdigest(),
            "something follows it": following is not None,
            "the head is not the known one: rows at the end are missing, or all were written anew": (
                self._known_head not in {None, footer.head}
            ),
        }
        return next((Finding(place="footer", reason=reason) for reason, holds in faults.items() if holds), None)


def row_fault(row: object) -> str | None:
    """Return why something is no row of an audit log, or None."""
    if not isinstance(row, dict):
        return "it is no row"
    if unknown := row.keys() - {*COLUMNS, "row_hash"}:
        return f"it has a column {min(unknown)!r}, which this release does not know"
    if missing := {*FIRST_COLUMNS, "row_hash"} - row.keys():
        return f"its column {min(missing)!r} is missing"
    return None


def _parsed(line: bytes, kind: type[L]) -> L | str:
    try:
        found = kind.model_validate_json(line)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, fault['loc'])) or 'line'}: {fault['msg']}"
    return found if _line(found) == line else "the line is not as maos writes it"
