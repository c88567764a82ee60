"""The files and folders of the embedded stack below `MAOS_HOME`."""

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

PRIVATE_FOLDER = 0o700


@dataclass(frozen=True)
class Home:
    """Where each thing of the stack lies."""

    folder: Path

    @property
    def credentials(self) -> Path:
        """Generated passwords; they outlive the stack."""
        return self.folder / "credentials.json"

    @property
    def connection(self) -> Path:
        """Addresses for the other commands, present while the stack runs."""
        return self.folder / "connection.json"

    @property
    def no_authority(self) -> Path:
        """What the Prefect clients of the stack trust for TLS."""
        return self.folder / "no-authority.pem"

    @property
    def state(self) -> Path:
        """Processes of the running stack."""
        return self.folder / "stack.json"

    @property
    def ports(self) -> Path:
        """Ports of the last start, taken again when they are free."""
        return self.folder / "ports.json"

    @property
    def registry(self) -> Path:
        """What the Prefect server was told last."""
        return self.folder / "registered.json"

    @property
    def lock(self) -> Path:
        """Held by the one supervisor."""
        return self.folder / "stack.lock"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's data, or a link to it."""
        return self.folder / "postgres"

    @property
    def prefect(self) -> Path:
        """`PREFECT_HOME` of every process of the stack."""
        return self.folder / "prefect"

    @property
    def bytecode(self) -> Path:
        """Compiled Python, where the installation has none."""
        return self.folder / "cache" / "bytecode"

    @property
    def temporary(self) -> Path:
        """Scratch space of the worker and its runs."""
        return self.folder / "tmp"

    @property
    def launch_socket(self) -> Path:
        """Where the template process takes requests for flow processes."""
        return self.folder / "launch.sock"

    def log(self, part: str) -> Path:
        """Return the log file of a part."""
        return self.folder / "logs" / f"{part}.log"

    def prepare(self, *stores: Path) -> None:
        """Create the folders, closed to other users.

        Args:
            stores: folders of others that are to be as closed.
        """
        for folder in (self.folder, self.log("").parent, self.prefect, self.bytecode, self.temporary, *stores):
            folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        # Parents are created with the umask, not with the mode asked for.
        self.bytecode.parent.chmod(PRIVATE_FOLDER)
        # Root's PostgreSQL runs as another user, who passes through but reads nothing.
        self.folder.chmod(self.folder.stat().st_mode & (0o711 if os.geteuid() == 0 else PRIVATE_FOLDER))


def write_private(path: Path, text: str) -> None:
    """Replace a file at once with one that only its owner may read."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def tail(path: Path, *, lines: int = 15, start: int = 0) -> str:
    """Return the last lines that were written to a log after a position."""
    try:
        with path.open("rb") as file:
            file.seek(max(start, path.stat().st_size - 16_384))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.strip().splitlines()[-lines:])
