"""Files of a run: written whole or not at all, named by their place in the run's folder, known by their checksum."""

import hashlib
import os
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
    with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
        part = Path(file.name)
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    return ArtifactRef(name=name, media_type=media_type, sha256=hashlib.sha256(content).hexdigest(), size=len(content))


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
