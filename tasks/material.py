"""Finds the files that a request for a workflow names, where its organisation may read, and notes what they are."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from maos.errors import BadInput, EngineFailure
from maos.failures import FailureKind
from maos.json_schemas import texts_of
from maos.settings import Settings
from maos.workflows import FOLDER, SOURCES, TABLE, LeftOut, MaterialFile, TakeMaterialParameters, WorkflowDefinition
from tasks.datasets import readable_roots

MOST_FILES = 200
# As the agent is told them, in JSON: what it reads besides has to fit beside them.
MOST_TOLD_BYTES = 150_000
MOST_TABLE_BYTES = 20_000_000


def find_material(
    definition: WorkflowDefinition, inputs: dict[str, object], *, org: str, settings: Settings
) -> TakeMaterialParameters:
    """Return what a run works on; inputs must fit their schema.

    Raises:
        BadInput: when a path is none that the organisation may read, or there is too much to read.
    """
    found = _Found([], [], {})
    for kind, place, given in sources_of(definition, inputs):
        try:
            _take(found, kind, place, given, readable_roots(org, settings))
        except BadInput as error:
            raise BadInput(f"inputs.{error.field}", error.value, error.allowed) from None
    return TakeMaterialParameters(inputs=inputs, files=tuple(found.files), left_out=tuple(found.left_out))


@dataclass(frozen=True)
class _Found:
    files: list[MaterialFile]
    left_out: list[LeftOut]
    told: dict[str, str]

    def take(self, place: str, name: str, path: Path, content: bytes, *, told: bool) -> None:
        digest = hashlib.sha256(content).hexdigest()
        file = MaterialFile(source=place, name=name, path=str(path), sha256=digest, size=len(content), told=told)
        self.files.append(file)
        if told:
            self.told[name] = content.decode("utf-8-sig")

    def name_for(self, name: str) -> str:
        """Return a name that no other file has: of two folders both may have a README."""
        taken, number = {file.name for file in self.files}, 2
        stem, dot, suffix = name.rpartition(".")
        found = name
        while found in taken:
            found = f"{stem}-{number}{dot}{suffix}" if stem else f"{name}-{number}"
            number += 1
        return found


def _take(found: _Found, kind: str, place: str, given: str, roots: list[Path]) -> None:
    path = _local(place, given, roots, folder=kind == FOLDER)
    if kind == FOLDER:
        _take_folder(found, place, path)
    else:
        _take_file(found, place, given, path, told=kind != TABLE)
    _check_size(place, given, found)


def _take_folder(found: _Found, place: str, folder: Path) -> None:
    for path in _within(place, folder):
        name = found.name_for(path.relative_to(folder).as_posix())
        content, reason = _read(path)
        if reason:
            found.left_out.append(LeftOut(name=name, reason=reason))
        else:
            found.take(place, name, path, content, told=True)


def _take_file(found: _Found, place: str, given: str, path: Path, *, told: bool) -> None:
    content, reason = _read(path)
    if reason:
        raise BadInput(place, given, f"a file of text in UTF-8 ({reason})")
    found.take(place, found.name_for(path.name), path, content, told=told)


def _read(path: Path) -> tuple[bytes, str]:
    """Return the bytes of a file, and why they are not read, if so."""
    try:
        if path.stat().st_size > MOST_TABLE_BYTES:
            return b"", f"it has more than {MOST_TABLE_BYTES:,} bytes"
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        return b"", f"it cannot be read: {error.strerror}"
    except UnicodeDecodeError:
        return b"", "it is not UTF-8"
    return content, "it is empty" if not text.strip() else "it is no text" if "\x00" in text else ""


def sources_of(definition: WorkflowDefinition, inputs: dict[str, object]) -> Iterator[tuple[str, str, str]]:
    """Yield each path that the inputs name: what it is, its place in them, and the path."""
    for kind in sorted(SOURCES):
        for place, given, _ in texts_of(definition.inputs, inputs, kind):
            yield kind, place, given


def content_of(file: MaterialFile, *, org: str, settings: Settings) -> bytes:
    """Return the bytes of a file that a plan was made for; whoever wrote the plan, it is one that runs may read.

    Raises:
        EngineFailure: when it may not be read, is gone, or is another by now.
    """
    path = Path(file.path).resolve()
    if not any(path.is_relative_to(root) for root in readable_roots(org, settings)):
        raise EngineFailure(FailureKind.BAD_REQUEST, f"{file.name} lies where runs of {org} do not read")
    try:
        content = path.read_bytes()
    except OSError:
        raise EngineFailure(FailureKind.BAD_REQUEST, f"the file {file.name} is gone") from None
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise EngineFailure(FailureKind.BAD_REQUEST, f"the file {file.name} has changed since the plan was made")
    return content


def _local(place: str, given: str, roots: list[Path], *, folder: bool) -> Path:
    kind = "folder" if folder else "file"
    try:
        # Links are followed before the check.
        inside = [path for root in roots if (path := (root / given).resolve()).is_relative_to(root)]
        found = [path for path in inside if (path.is_dir() if folder else path.is_file())]
    except (OSError, ValueError, RuntimeError):
        raise BadInput(place, given[:200], f"the path of a {kind}") from None
    if not inside:
        raise BadInput(place, given, f"a {kind} under {', '.join(map(str, roots))}")
    if not found:
        raise BadInput(place, given, f"a {kind} that exists")
    return found[0]


def _within(place: str, folder: Path) -> list[Path]:
    """Return the files of a folder, hidden ones and those that links lead out of it to left alone."""
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.resolve().is_relative_to(folder)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not 0 < len(found) <= MOST_FILES:
        raise BadInput(place, f"{len(found)} files", f"a folder with 1 to {MOST_FILES} files")
    return found


def _check_size(place: str, given: str, found: _Found) -> None:
    if len(found.files) > MOST_FILES:
        raise BadInput(place, f"{len(found.files)} files", f"at most {MOST_FILES} files in all")
    if (size := len(json.dumps(found.told, ensure_ascii=False, indent=1).encode())) > MOST_TOLD_BYTES:
        raise BadInput(place, given, f"at most {MOST_TOLD_BYTES:,} bytes of documents in all; these are {size:,}")
