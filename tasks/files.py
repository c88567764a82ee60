"""Files: written whole or not at all; those of a run have a place in its folder, and are known by their checksum."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile

from maos.actions import ArtifactRef
from maos.errors import EngineFailure
from maos.failures import FailureKind
from tasks.secrecy import without_known_secrets


def write_file(folder: Path, name: str, content: bytes, media_type: str) -> ArtifactRef:
    """Write a file in one step, so that nobody ever finds half of it; the same bytes twice are harmless."""
    content = without_known_secrets(content, media_type)
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, [content])
    return ArtifactRef(name=name, media_type=media_type, sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def write_whole(file: Path, chunks: Iterable[bytes]) -> None:
    """Write a file that is there whole or not at all."""
    with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as written:
        part = Path(written.name)
        try:
            written.writelines(chunks)
            written.flush()
            os.fsync(written.fileno())
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Have the names of a folder's files outlast a loss of power."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def read_file(folder: Path, file: ArtifactRef) -> bytes:
    """Return the bytes of a file that a step made.

    Raises:
        EngineFailure: when they are not the bytes that the step made.
    """
    try:
        content = (folder / file.name).read_bytes()
    except OSError:
        raise EngineFailure(FailureKind.BAD_REQUEST, f"the file {file.name} is gone") from None
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise EngineFailure(FailureKind.BAD_REQUEST, f"the file {file.name} has changed since it was made")
    return content


def checksum_of(path: Path) -> str | None:
    """Return the SHA-256 of a file, or None where there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
