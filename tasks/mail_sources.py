"""Messages as files: a Maildir, an mbox, an .eml file, a folder of them; looked at, never changed."""

import hashlib
import mailbox
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from maos.errors import BadInput
from maos.mail_reading import HEAD_BYTES, MOST_BYTES
from maos.settings import Settings
from tasks.datasets import readable_roots

_ALLOWED = "a Maildir, an mbox file, an .eml file, or a folder of .eml files"


@dataclass(frozen=True)
class RawMail:
    """A message as it came, or the beginning of one that is too large."""

    content: bytes
    size: int


class MailSource(Protocol):
    """Where messages are: each has a key that stays the same for as long as the message does."""

    @property
    def place(self) -> str:
        """What the mailbox is called in the ledger."""

    def keys(self) -> list[str]:
        """Return the keys of all messages, the oldest first."""

    def fetch(self, keys: Sequence[str]) -> Iterator[tuple[str, RawMail | None]]:
        """Yield messages by their keys; nothing for those that are gone."""

    def mark_read(self, keys: Sequence[str]) -> None:
        """Have messages say in their mailbox that they are read, where it can say so."""


@dataclass(frozen=True)
class FileSource:
    """Messages that are a file each: of a Maildir, or .eml files."""

    folder: Path
    kind: str

    @property
    def place(self) -> str:
        """What the mailbox is called in the ledger."""
        return f"{self.kind}:{self.folder}"

    def keys(self) -> list[str]:
        """Return the keys of all messages, the oldest first."""
        return list(self._files())

    def fetch(self, keys: Sequence[str]) -> Iterator[tuple[str, RawMail | None]]:
        """Yield messages by their keys; nothing for those that are gone."""
        files = self._files()
        for key in keys:
            yield key, _content(files[key]) if key in files else None

    def mark_read(self, keys: Sequence[str]) -> None:
        """Leave the files as they are: they belong to whoever put them there."""

    def _files(self) -> dict[str, Path]:
        if self.kind == "maildir":
            files = [path for name in ("new", "cur") for path in _plain_files(self.folder / name)]
            # Behind the colon stand flags, which change.
            return {path.name.partition(":")[0]: path for path in sorted(files, key=lambda path: path.name)}
        if self.folder.is_file():
            return {_digest_key(self.folder): self.folder}
        found = [path for path in _plain_files(self.folder) if path.suffix.lower() == ".eml"]
        return {_digest_key(path): path for path in sorted(found, key=lambda path: path.name)}


@dataclass(frozen=True)
class MboxSource:
    """Messages one after the other in a file, known by their content: their places change."""

    file: Path

    @property
    def place(self) -> str:
        """What the mailbox is called in the ledger."""
        return f"mbox:{self.file}"

    def keys(self) -> list[str]:
        """Return the keys of all messages, the oldest first."""
        return [key for key, _ in self._messages()]

    def fetch(self, keys: Sequence[str]) -> Iterator[tuple[str, RawMail | None]]:
        """Yield messages by their keys; nothing for those that are gone."""
        wanted = dict.fromkeys(keys)
        for key, raw in self._messages():
            if key in wanted:
                del wanted[key]
                yield key, raw
        yield from ((key, None) for key in wanted)

    def mark_read(self, keys: Sequence[str]) -> None:
        """Leave the file as it is: it belongs to whoever put it there."""

    def _messages(self) -> Iterator[tuple[str, RawMail]]:
        seen: dict[str, int] = {}
        box = mailbox.mbox(self.file, create=False)
        try:
            for name in box.iterkeys():
                content = box.get_bytes(name)
                digest = hashlib.sha256(content).hexdigest()
                seen[digest] = seen.get(digest, 0) + 1
                # The same message twice is two messages, of which one is a duplicate.
                yield f"{digest[:32]}.{seen[digest]}", _cut(content)
        finally:
            box.close()


def file_source(source: str, *, org: str, settings: Settings) -> MailSource:
    """Return the messages of a path that an organisation may read.

    Raises:
        BadInput: when it may not, or there are none.
    """
    roots = readable_roots(org, settings)
    try:
        # A relative path is one inside a root; links are followed before the check.
        inside = [path for root in roots if (path := (root / source).resolve()).is_relative_to(root)]
        found = next((path for path in inside if path.exists()), None)
    except (OSError, ValueError, RuntimeError):
        raise BadInput("source", source[:200], "a path, or imap:NAME") from None
    if found is None:
        raise BadInput("source", source, f"{_ALLOWED}, under {', '.join(map(str, roots))}; or imap:NAME")
    try:
        return _source_at(source, found)
    except OSError as error:
        raise BadInput("source", source, f"{_ALLOWED} that can be read ({error.strerror})") from None


def _source_at(source: str, path: Path) -> MailSource:
    if path.is_dir() and (path / "cur").is_dir() and (path / "new").is_dir():
        return FileSource(path, "maildir")
    if path.is_dir() or path.suffix.lower() == ".eml":
        return FileSource(path, "eml")
    with path.open("rb") as file:
        if file.read(5) in {b"From ", b""}:
            return MboxSource(path)
    raise BadInput("source", source, _ALLOWED)


def _plain_files(folder: Path) -> list[Path]:
    # No links: they lead anywhere.
    return [path for path in folder.iterdir() if path.is_file() and not path.is_symlink() and path.name[0] != "."]


def _digest_key(path: Path) -> str:
    with path.open("rb") as file:
        return f"{path.name[:200]}:{hashlib.file_digest(file, 'sha256').hexdigest()[:32]}"


def _content(path: Path) -> RawMail | None:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            return RawMail(file.read(HEAD_BYTES if size > MOST_BYTES else -1), size)
    except OSError:
        return None


def _cut(content: bytes) -> RawMail:
    return RawMail(content[:HEAD_BYTES] if len(content) > MOST_BYTES else content, len(content))
