"""Finds the data set that a request names, in allowed folders or on the web, and reads what it is."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from blocks.dataset_downloads import DatasetDownloads
from maos.dataset_addresses import address_of, is_object
from maos.datasets import ColumnFacts, DatasetFacts, DatasetFormat, FileFacts, content_of
from maos.errors import BadInput, EngineFailure
from maos.failures import FailureKind
from maos.settings import Settings
from tasks.columns import column_facts
from tasks.dataset_buckets import fetch_from_bucket
from tasks.known_contents import KnownContents
from tasks.spreadsheets import SPREADSHEETS, sheet_as_csv
from tasks.tables import IN_MEMORY, Table, open_table

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_FORMATS: dict[str, DatasetFormat] = {
    ".csv": DatasetFormat.CSV,
    ".tsv": DatasetFormat.CSV,
    ".txt": DatasetFormat.CSV,
    ".parquet": DatasetFormat.PARQUET,
    ".json": DatasetFormat.JSON,
    ".jsonl": DatasetFormat.JSON,
    ".ndjson": DatasetFormat.JSON,
}
# What a file is by its first bytes, whatever it is called.
_NO_TABLE: dict[bytes, str] = {
    b"\x1f\x8b": "it is compressed",
    b"%PDF": "it is a PDF document",
    b"<!DOC": "it is a web page",
    b"<HTML": "it is a web page",
}
_ALLOWED = "a CSV, Parquet, JSON or Excel file that holds a table"
_COLUMNS: KnownContents[tuple[int, tuple[ColumnFacts, ...]]] = KnownContents()


@dataclass(frozen=True)
class DatasetFile:
    """A data set as a file of this machine."""

    source: str
    path: Path
    format: DatasetFormat
    sha256: str
    size: int
    sheet: str = ""
    header_row: int = 1

    @property
    def content(self) -> str:
        """What tells its content from others."""
        return content_of(self.sha256, self.format, self.sheet)

    @property
    def shown(self) -> str:
        """The source as an error may repeat it: without the keys that an address may carry."""
        return self.source.partition("?")[0] if _SCHEME.match(self.source) else self.source


def inspect_dataset(dataset: str, *, org: str, settings: Settings) -> DatasetFacts:
    """Read what a data set is.

    Raises:
        BadInput: when an organisation may not read it, it cannot be read, or holds no table.
    """
    with TemporaryDirectory(prefix="maos-dataset-") as folder:
        file = materialise(dataset, org=org, folder=Path(folder), settings=settings)
        with open_file(file) as table:
            return facts_of(file, table)


def materialise(dataset: str, *, org: str, folder: Path, settings: Settings) -> DatasetFile:
    """Return a data set as a file: where it lies, or fetched once into the folder.

    Raises:
        BadInput: when an organisation may not read it, or it is no data file.
    """
    place, sheet = address_of(dataset)
    file = _found(dataset, place, org=org, folder=folder, settings=settings)
    if file.format is DatasetFormat.EXCEL:
        return _converted(file, sheet, folder)
    if sheet:
        raise BadInput("dataset", file.shown, "a spreadsheet, where a sheet of it is named")
    return file


def _found(dataset: str, place: str, *, org: str, folder: Path, settings: Settings) -> DatasetFile:
    if not _SCHEME.match(place):
        path = _local_path(place, readable_roots(org, settings))
        return _identified(dataset, path, name=path.name)
    name = place if is_object(place) else urlsplit(_checked_address(place)).path
    path = _fetched(place, folder / "dataset", org=org, settings=settings)
    return _identified(dataset, path, name=name)


def _converted(file: DatasetFile, sheet: str, folder: Path) -> DatasetFile:
    """Return a spreadsheet as the CSV file that one of its sheets is made into."""
    target = folder / "dataset" / f"{hashlib.sha256(file.source.encode()).hexdigest()[:16]}.csv"
    target.parent.mkdir(parents=True, exist_ok=True)
    # Steps of a run may read it side by side.
    with TemporaryDirectory(dir=target.parent) as scratch:
        arriving = Path(scratch) / target.name
        found = sheet_as_csv(file.path, arriving, sheet=sheet, dataset=file.shown)
        arriving.replace(target)
    return replace(file, path=target, sheet=found.name, header_row=found.header)


@contextmanager
def open_file(file: DatasetFile, *, database: str = IN_MEMORY) -> Iterator[Table]:
    """Open a data set for queries."""
    format_ = DatasetFormat.CSV if file.format is DatasetFormat.EXCEL else file.format
    with open_table(file.path, dataset=file.shown, format_=format_, database=database, content=file.content) as table:
        yield table


def unchanged(file: DatasetFile, digest: str) -> DatasetFile:
    """Return the file if it is the one that the plan was made for.

    Raises:
        EngineFailure: when it has changed since.
    """
    if file.sha256 != digest:
        detail = f"the data set has changed since the plan was made: {digest[:12]} then, {file.sha256[:12]} now"
        raise EngineFailure(FailureKind.BAD_REQUEST, detail)
    return file


def facts_of(file: DatasetFile, table: Table, *, content: str = "") -> DatasetFacts:
    """Return the facts of an open data set.

    Args:
        content: what tells the content of the table from others, where that is not the file's.

    Raises:
        BadInput: when it has no rows.
    """
    content = content or file.content
    rows, columns = _COLUMNS.get(content) or _COLUMNS.keep(content, column_facts(table))
    if not rows:
        raise BadInput("dataset", file.shown, f"{_ALLOWED} with at least one row")
    return DatasetFacts(
        source=file.source,
        format=file.format,
        sha256=file.sha256,
        size=file.size,
        row_count=rows,
        unreadable_rows=table.unreadable,
        columns=columns,
        files=(file_facts(file, rows, table.unreadable),),
    )


def file_facts(file: DatasetFile, rows: int, unreadable: int) -> FileFacts:
    """Return what is known of a file beside its columns."""
    return FileFacts(
        source=file.source,
        format=file.format,
        sha256=file.sha256,
        size=file.size,
        sheet=file.sheet,
        header_row=file.header_row,
        row_count=rows,
        unreadable_rows=unreadable,
    )


def readable_roots(org: str, settings: Settings) -> list[Path]:
    """Return the folders from which runs of an organisation may read."""
    if org in {"", ".", ".."} or Path(org).name != org:
        raise BadInput("org", org, "the slug of an organisation")
    return [root.expanduser().resolve() for root in (*settings.dataset_roots, settings.dataset_store / org, EXAMPLES)]


def _local_path(dataset: str, roots: list[Path]) -> Path:
    try:
        # A relative path is one inside a root; an absolute one stands for itself. Links are followed before the check.
        inside = [path for root in roots if (path := (root / dataset).resolve()).is_relative_to(root)]
        files = [path for path in inside if path.is_file()]
    except (OSError, ValueError, RuntimeError):
        raise BadInput("dataset", dataset[:200], "a path") from None
    if not inside:
        raise BadInput("dataset", dataset, f"a file under {', '.join(map(str, roots))}")
    if not files:
        raise BadInput("dataset", dataset, "a file that exists")
    return files[0]


def _checked_address(dataset: str) -> str:
    try:
        parts = urlsplit(dataset)
        user = parts.username is not None or parts.password is not None
    except ValueError:
        raise BadInput("dataset", dataset[:200], "an http:// or https:// address") from None
    if parts.scheme not in {"http", "https"}:
        raise BadInput("dataset", dataset.partition("?")[0], "a path, or an http://, https:// or s3:// address")
    if user:
        # Not repeated in full: plans and errors are stored as plain text.
        raise BadInput("dataset", f"{parts.scheme}://...@{parts.hostname}", "an address without user and password")
    return dataset


def _fetched(address: str, folder: Path, *, org: str, settings: Settings) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / hashlib.sha256(address.encode()).hexdigest()[:16]
    if not target.exists():
        arriving = target.with_suffix(".part")
        if is_object(address):
            fetch_from_bucket(address, arriving, org=org, settings=settings)
        else:
            DatasetDownloads().fetch(address, arriving, allow_private=settings.allow_private_dataset_hosts)
        arriving.replace(target)
    return target


def _identified(dataset: str, path: Path, *, name: str) -> DatasetFile:
    try:
        with path.open("rb") as file:
            head = file.read(4096)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BadInput("dataset", dataset, f"a readable file ({error.strerror})") from None
    format_ = _format_of(dataset, head, Path(name).suffix.lower())
    return DatasetFile(source=dataset, path=path, format=format_, sha256=digest, size=path.stat().st_size)


def _format_of(dataset: str, head: bytes, suffix: str) -> DatasetFormat:
    if head.startswith(SPREADSHEETS):
        return DatasetFormat.EXCEL
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise BadInput("dataset", dataset.partition("?")[0], f"{_ALLOWED} (it is empty)")
    for start, reason in _NO_TABLE.items():
        if text.upper().startswith(start):
            raise BadInput("dataset", dataset.partition("?")[0], f"{_ALLOWED} ({reason})")
    if head.startswith(b"PAR1"):
        return DatasetFormat.PARQUET
    by_content = DatasetFormat.JSON if text[:1] in (b"{", b"[") else DatasetFormat.CSV
    return _FORMATS.get(suffix, by_content)
