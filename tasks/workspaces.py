"""A step's workspace: a folder made anew for each try, looked through when the work is done, and then removed."""

import hashlib
import mimetypes
import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from maos.actions import ArtifactRef
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.labels import printable
from maos.workspaces import LARGEST_FILE_BYTES, MOST_FILES, kept_name, path_fault, size_fault
from tasks.files import write_file

# Beside the files of the run, so that whatever removes these removes what a killed process has left.
_PLACE = ".work"


@dataclass(frozen=True)
class _Found:
    content: bytes
    sha256: str


class Workspace:
    """A folder to work in, and an empty home for whoever works in it; a context manager that removes both.

    What an earlier try of the step has left, because its process was killed, is removed first.
    """

    def __init__(self, run_folder: Path, step_id: str, files: Mapping[str, bytes]) -> None:
        self._run_folder = run_folder
        self._step_id = step_id
        self._given = files
        self._place = run_folder / _PLACE / step_id
        self.folder = self._place / "workspace"
        self.home = self._place / "home"

    def __enter__(self) -> Self:
        self._remove()
        for folder in (self.folder, self.home):
            folder.mkdir(parents=True)
        for path, content in self._given.items():
            write_file(self.folder, path, content, "")
        # Kept open: a program may put another folder, or a link to one, in its place.
        self._opened = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._opened)
        self._remove()

    def keep_changes(self, *, secret: str) -> tuple[tuple[ArtifactRef, ...], tuple[str, ...]]:
        """Keep what is new or changed as files of the run; return them, and the paths of what is gone.

        Args:
            secret: what no file may hold.

        Raises:
            EngineFailure: when the workspace holds what cannot be kept; nothing is kept then.
        """
        try:
            found = self._look_through()
        except OSError as error:
            raise _refused(error.strerror or type(error).__name__) from None
        if holding := [path for path, file in found.items() if secret.encode() in file.content]:
            raise _refused(f"{holding[0]} holds the key")
        gone = tuple(sorted(self._given.keys() - found.keys()))
        changed = {path: file for path, file in sorted(found.items()) if self._is_news(path, file)}
        return tuple(self._keep(path, file) for path, file in changed.items()), gone

    def _is_news(self, path: str, file: _Found) -> bool:
        given = self._given.get(path)
        return given is None or hashlib.sha256(given).hexdigest() != file.sha256

    def _keep(self, path: str, file: _Found) -> ArtifactRef:
        media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
        return write_file(self._run_folder, kept_name(self._step_id, path), file.content, media_type)

    def _look_through(self) -> dict[str, _Found]:
        sizes = self._sizes()
        if fault := size_fault(sizes.values()):
            raise _refused(fault)
        return {path: self._read(path) for path in sizes}

    def _sizes(self) -> dict[str, int]:
        """Return the size of each file by its path; links are never followed, be they to files or to folders."""
        sizes: dict[str, int] = {}
        for root, folders, files, opened in os.fwalk(".", dir_fd=self._opened, onerror=_raise):
            for name in (*folders, *files):
                path = os.path.normpath(os.path.join(root, name))
                known = os.stat(name, dir_fd=opened, follow_symlinks=False)
                if fault := path_fault(path) or _kind_fault(known):
                    raise _refused(f"{printable(path)}: {fault}")
                if stat.S_ISREG(known.st_mode):
                    sizes[path] = known.st_size
            if len(sizes) > MOST_FILES:
                break
        return sizes

    def _read(self, path: str) -> _Found:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self._opened), "rb") as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
        return _Found(content, hashlib.sha256(content).hexdigest())

    def _remove(self) -> None:
        if self._place.exists():
            _open_up(self._place)
            shutil.rmtree(self._place)


def _kind_fault(known: os.stat_result) -> str | None:
    if stat.S_ISDIR(known.st_mode):
        return None
    if not stat.S_ISREG(known.st_mode):
        return "it is neither a file nor a folder"
    # A second name may be that of a file elsewhere.
    return "it has more than one name" if known.st_nlink > 1 else None


def _raise(error: OSError) -> NoReturn:
    raise error


def _open_up(place: Path) -> None:
    """Give us back our rights to folders, which a program may have taken away."""
    for root, folders, _ in os.walk(place):
        for folder in (os.path.join(root, name) for name in folders):
            if not os.path.islink(folder):
                os.chmod(folder, stat.S_IRWXU)


def _refused(reason: str) -> EngineFailure:
    return EngineFailure(FailureKind.UNUSABLE_OUTPUT, f"the workspace cannot be kept: {reason}")
