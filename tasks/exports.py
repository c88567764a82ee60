"""Writing everything of one organisation into a folder, and saying again later what that would be."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

from sqlmodel import Session

from maos.exports import ExportedFile, Manifest
from maos.settings import load_settings
from sql.exports import lines_of, queries_of_export
from sql.tables import Organization

_MANIFEST = "manifest.json"
_FILES = "files"


def write_export(org: Organization, folder: Path, *, session: Session) -> Manifest:
    """Write an export: a file of JSON lines for each table, one that lists the organisation's files, and a manifest."""
    folder.mkdir(mode=0o700, parents=True)
    manifest = _manifest(org, folder, session=session)
    private(folder / _MANIFEST).write_text(manifest.model_dump_json(indent=2))
    return manifest


def manifest_now(org: Organization, *, session: Session) -> Manifest:
    """Return the manifest that an export would have now, without writing one."""
    return _manifest(org, None, session=session)


def is_intact(folder: Path, digest: str) -> bool:
    """Say whether an export lies there as it was written."""
    try:
        manifest = Manifest.model_validate_json((folder / _MANIFEST).read_text())
        found = {file.name: _digest_of_file(folder / f"{file.name}.jsonl") for file in manifest.files}
    except (OSError, ValueError):
        return False
    return manifest.digest == digest and found == {file.name: file.sha256 for file in manifest.files}


def stores_of(slug: str) -> dict[str, Path]:
    """Return where the files of an organisation lie, by what they are."""
    settings = load_settings()
    return {"artifacts": settings.artifact_store / slug, "datasets": settings.dataset_store / slug}


def _manifest(org: Organization, folder: Path | None, *, session: Session) -> Manifest:
    queries = queries_of_export(session=session)
    parts = [_part(name, lines_of(query, org.id, session=session), folder) for name, query in queries.items()]
    return Manifest(organization=org.slug, files=(*parts, _part(_FILES, _stored_files(org.slug), folder)))


def _part(name: str, lines: Iterable[str], folder: Path | None) -> ExportedFile:
    rows, digest = 0, hashlib.sha256()
    with ExitStack() as stack:
        file = stack.enter_context(private(folder / f"{name}.jsonl").open("wb")) if folder else None
        for line in lines:
            written = f"{line}\n".encode()
            digest.update(written)
            rows += 1
            if file:
                file.write(written)
        if file:
            file.flush()
            os.fsync(file.fileno())
    return ExportedFile(name=name, rows=rows, sha256=digest.hexdigest())


def _stored_files(slug: str) -> Iterator[str]:
    for kind, store in stores_of(slug).items():
        for path in sorted(path for path in store.rglob("*") if path.is_file() and not path.is_symlink()):
            facts = {
                "path": f"{kind}/{path.relative_to(store)}",
                "size": path.stat().st_size,
                "sha256": _digest_of_file(path),
            }
            yield json.dumps(facts, ensure_ascii=False)


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def private(path: Path) -> Path:
    """Make a file that only its owner may read, where there was none."""
    path.touch(mode=0o600, exist_ok=False)
    return path
