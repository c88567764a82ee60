"""Workspaces: which paths in them are fit to be used, and how much they may hold."""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator

from maos.actions import ArtifactRef
from maos.labels import printable

MOST_FILES = 200
MOST_BYTES = 50_000_000
LARGEST_FILE_BYTES = 10_000_000
_LONGEST_PATH = 200
# Where a step's files stand in its run's folder.
KEPT_IN = "workspaces"


def path_fault(path: str) -> str | None:
    """Say what is wrong with a path of a file in a workspace, if anything is."""
    if not path or path != printable(path, longest=_LONGEST_PATH):
        return f"a path has 1 to {_LONGEST_PATH} characters that can be seen"
    if "\\" in path or path.startswith("/") or path != str(PurePosixPath(path)):
        return "a path is relative, and written plainly with forward slashes"
    if {".", ".."} & set(path.split("/")):
        return "a path does not lead out of its folder"
    return None


def _checked(path: str) -> str:
    if fault := path_fault(path):
        raise ValueError(fault)
    return path


WorkspacePath = Annotated[str, AfterValidator(_checked)]


def place_fault(paths: Iterable[str]) -> str | None:
    """Say which path is that of a file and of a folder at once, if one is."""
    known = set(paths)
    folders = {str(parent) for path in known for parent in PurePosixPath(path).parents}
    both = sorted(known & folders)
    return f"{both[0]} is a file and a folder" if both else None


def size_fault(sizes: Iterable[int]) -> str | None:
    """Say which limit the files of a workspace pass, if they pass any."""
    known = tuple(sizes)
    if len(known) > MOST_FILES:
        return f"{len(known):,} files; at most {MOST_FILES:,} are taken"
    if max(known, default=0) > LARGEST_FILE_BYTES:
        return f"a file of {max(known):,} bytes; at most {LARGEST_FILE_BYTES:,} are taken"
    if sum(known) > MOST_BYTES:
        return f"{sum(known):,} bytes in all; at most {MOST_BYTES:,} are taken"
    return None


def kept_name(step_id: str, path: str) -> str:
    """Return where a file of a step's workspace is kept in the run's folder."""
    return f"{KEPT_IN}/{step_id}/{path}"


def path_within(file: ArtifactRef) -> str:
    """Return where a file of the run is put in a workspace: where it was in its own, else at its root."""
    parts = file.name.split("/")
    return "/".join(parts[2:]) if parts[0] == KEPT_IN and len(parts) > 2 else parts[-1]
