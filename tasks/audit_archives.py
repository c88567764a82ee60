"""Archives: months of the audit log as Parquet files, which are read back before their rows are removed."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from maos.audit import COLUMNS, ChainBroken, ChainReader, Document, flat_json, trimmed
from maos.settings import load_settings
from sql.retention_tables import AuditArchive
from tasks.files import checksum_of, sync_folder

FOLDER = "audit-archives"
_TYPES = {
    "sequence": "BIGINT",
    "was_automatic": "BOOLEAN",
    "success": "BOOLEAN",
    "policy_version": "INTEGER",
    "chain_version": "INTEGER",
}
_COLUMNS = {name: _TYPES.get(name, "VARCHAR") for name in (*COLUMNS, "row_hash")}
_READ_AT_ONCE = 5000


def archive_file(archive: AuditArchive, org: str) -> Path:
    """Return where the file of an archive belongs."""
    name = f"{archive.month:%Y-%m}-rows-{archive.first_sequence}-{archive.last_sequence}.parquet"
    return load_settings().artifact_store / org / FOLDER / name


def write_archive(archive: AuditArchive, org: str, rows: Iterable[tuple[Document, str]]) -> tuple[Path, str]:
    """Write rows into the file of an archive, read it back, and return it with its SHA-256.

    It is there whole and verified, or not at all; writing it again is harmless.

    Raises:
        ChainBroken: when the file does not hold every row of the archive in its place.
    """
    file = archive_file(archive, org)
    file.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=file.parent, prefix=f".{file.stem}.") as folder:
        lines, part = Path(folder) / "rows.jsonl", Path(folder) / "rows.parquet"
        with lines.open("w", encoding="utf-8") as text:
            text.writelines(f"{flat_json({**document, 'row_hash': row_hash})}\n" for document, row_hash in rows)
        _to_parquet(lines, part)
        check_archive(archive, part)
        with part.open("rb") as whole:
            os.fsync(whole.fileno())
        sha256 = str(checksum_of(part))
        # As `sha256sum --check` reads it.
        (Path(folder) / "sum").write_text(f"{sha256}  {file.name}\n")
        (Path(folder) / "sum").replace(file.with_name(f"{file.name}.sha256"))
        part.replace(file)
    # Its rows are removed next.
    sync_folder(file.parent)
    return file, sha256


def _to_parquet(lines: Path, part: Path) -> None:
    types = ", ".join(f"'{name}': '{kind}'" for name, kind in _COLUMNS.items())
    with duckdb.connect() as connection:
        source = f"read_json($source, format = 'newline_delimited', columns = {{{types}}})"
        connection.execute(
            f"COPY (SELECT * FROM {source}) TO '{_quoted(part)}' (FORMAT parquet, COMPRESSION zstd)",  # noqa: S608
            {"source": str(lines)},
        )


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def check_archive(archive: AuditArchive, file: Path) -> None:
    """Read every row of a file, and compute its place in the chain anew.

    Raises:
        ChainBroken: when one is missing, changed or too many.
    """
    reader = ChainReader(sequence=archive.first_sequence - 1, row_hash=archive.previous_hash)
    for document, row_hash in _rows_of(file):
        if document["org_id"] != str(archive.org_id):
            raise ChainBroken(file.name, f"row {document['sequence']} is another organisation's")
        if fault := reader.read(document, row_hash):
            raise ChainBroken(file.name, f"row {fault.sequence}: {fault.reason}")
    if fault := reader.end(sequence=archive.last_sequence, row_hash=archive.last_hash):
        raise ChainBroken(file.name, f"row {fault.sequence}: {fault.reason}")


def _rows_of(file: Path) -> Iterator[tuple[Document, str]]:
    names = ", ".join(_COLUMNS)
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT {names} FROM read_parquet($file) ORDER BY sequence",  # noqa: S608 - names of ours
            {"file": str(file)},
        )
        while rows := found.fetchmany(_READ_AT_ONCE):
            for *values, row_hash in rows:
                yield trimmed(dict(zip(COLUMNS, values, strict=True))), row_hash
