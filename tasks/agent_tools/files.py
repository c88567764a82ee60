"""Text files of an agent's step, in a folder of their own that no path leads out of."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from maos.errors import BadInput
from tasks.secrecy import without_known_secrets

LONGEST_FILE_BYTES = 1_000_000
MOST_FILES = 200
_DEEPEST = 6
_PATH = "path"
_NEW_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Scratch:
    """The files under one folder; every path is walked part by part, and no link is followed."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def names(self) -> list[str]:
        """Return the path of every file."""
        found = []
        for parent, folders, files in os.walk(self._folder, followlinks=False):
            folders.sort()
            for name in sorted(files):
                path = Path(parent) / name
                if stat.S_ISREG(path.lstat().st_mode):
                    found.append(path.relative_to(self._folder).as_posix())
        return found

    def read(self, path: str) -> str:
        """Return the text of a file.

        Raises:
            BadInput: when there is no such text file.
        """
        with self._parent_of(path, make=False) as (parent, name), _opened(name, parent, path) as file:
            facts = os.fstat(file)
            if not stat.S_ISREG(facts.st_mode) or facts.st_nlink > 1 or facts.st_size > LONGEST_FILE_BYTES:
                raise BadInput(_PATH, path, f"a file of at most {LONGEST_FILE_BYTES} bytes that you have written")
            content = os.read(file, LONGEST_FILE_BYTES)
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise BadInput(_PATH, path, "a text file") from None

    def write(self, path: str, content: str) -> None:
        """Write a file, whole or not at all; the same twice is harmless.

        Raises:
            BadInput: when the path leads out, the text is too long, or there are too many files.
        """
        # An agent may write half of a pair of surrogates: that has no bytes.
        raw = without_known_secrets(content.encode(errors="replace"), "text/plain")
        if len(raw) > LONGEST_FILE_BYTES:
            raise BadInput("content", f"{len(raw)} bytes", f"at most {LONGEST_FILE_BYTES} bytes")
        names = self.names()
        if len(names) >= MOST_FILES and path not in names:
            raise BadInput(_PATH, path, f"one of your {MOST_FILES} files; there is no room for more")
        with self._parent_of(path, make=True) as (parent, name):
            part = f".{uuid4()}"
            file = os.open(part, _NEW_FILE_FLAGS, 0o600, dir_fd=parent)
            try:
                with os.fdopen(file, "wb") as out:
                    out.write(raw)
                # Takes the place of whatever is there: of a link itself, never of what it leads to.
                os.replace(part, name, src_dir_fd=parent, dst_dir_fd=parent)
            except OSError:
                os.unlink(part, dir_fd=parent)
                raise BadInput(_PATH, path, "the path of a file, not of a folder") from None

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a passage that stands once; a passage that is replaced already is left as it is.

        Raises:
            BadInput: when it does not stand there exactly once.
        """
        text = self.read(path)
        count = text.count(old)
        if count == 0 and new and new in text:
            return
        if count != 1:
            raise BadInput("old", old[:100], f"a passage that stands exactly once in {path}; it stands {count} times")
        self.write(path, text.replace(old, new))

    @contextmanager
    def _parent_of(self, path: str, *, make: bool) -> Iterator[tuple[int, str]]:
        *folders, name = _parts_of(path)
        parent = os.open(self._folder, _FOLDER_FLAGS)
        try:
            for folder in folders:
                below = _entered(folder, parent, path, make=make)
                os.close(parent)
                parent = below
            yield parent, name
        finally:
            os.close(parent)


def _parts_of(path: str) -> list[str]:
    parts = path.split("/")
    if (
        not path.isprintable()
        or "\\" in path
        or len(parts) > _DEEPEST
        or any(not part or part.startswith(".") for part in parts)
        or any(len(part.encode(errors="replace")) > 100 for part in parts)
    ):
        raise BadInput(
            _PATH,
            path[:200],
            "a relative path such as notes/first.md; no part begins with a dot",
        )
    return parts


def _entered(folder: str, parent: int, path: str, *, make: bool) -> int:
    try:
        if make:
            with suppress(FileExistsError):
                os.mkdir(folder, 0o700, dir_fd=parent)
        return os.open(folder, _FOLDER_FLAGS, dir_fd=parent)
    except OSError:
        raise BadInput(_PATH, path, "a path through folders that are there") from None


@contextmanager
def _opened(name: str, parent: int, path: str) -> Iterator[int]:
    try:
        # Not blocking: a pipe that somebody put there must not hold the agent up.
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
    except OSError:
        raise BadInput(_PATH, path, "a file that you have written; list_files names them") from None
    try:
        yield file
    finally:
        os.close(file)
