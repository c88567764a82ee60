"""Where a cluster's data lie, who owns them, and how they are made."""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

from deployments.embedded.accounts import Account, may_enter, own, process_owner, server_account
from deployments.embedded.binaries import SHARED_FOLDER, Binaries
from maos.errors import StackError

ADMIN = "maos_admin"
# macOS needs a locale in the environment, lest the server start a thread of its own.
SERVER_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}


def data_account(link: Path) -> Account | None:
    """Return the user to run the server as: the owner of the data, where root finds some."""
    account = server_account()
    if not link.exists():
        return account
    owner = link.stat().st_uid
    if account is None and owner != os.geteuid():
        raise StackError("postgres", f"the data in {link} belong to user {_name(owner)}; start the stack as that user")
    if account is None or owner in (0, account.uid):
        return account
    return Account(_name(owner), owner, link.stat().st_gid)


def data_folder(link: Path, account: Account | None) -> Path:
    """Return the folder for the data, below `/var/lib` with a link to it where the user cannot reach this path."""
    if link.exists():
        if account is not None and not link.is_symlink():
            _open_way(link.parent, account)
        return link.resolve()
    if account is None or _open_way(link.parent, account):
        return link
    link.unlink(missing_ok=True)
    SHARED_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    folder = SHARED_FOLDER / uuid.uuid4().hex
    link.symlink_to(folder)
    return folder


def major_version(folder: Path) -> int | None:
    """Return the major version of PostgreSQL that made the data."""
    try:
        return int((folder / "PG_VERSION").read_text())
    except FileNotFoundError:
        return None


def initialise(folder: Path, *, binaries: Binaries, account: Account | None, password: str) -> None:
    """Make the data of a new cluster, all or nothing."""
    # Not in place: an interrupted start must leave no half cluster behind.
    scratch = folder.with_name(f"{folder.name}.new")
    complaint: str | None = None
    for locale in ("C.UTF-8", "C"):
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        own(scratch, account)
        complaint = _run_initdb(scratch, binaries, account, locale=locale, password=password)
        if complaint is None:
            scratch.rename(folder)
            return
    raise StackError("postgres", f"initdb failed: {complaint}")


def _run_initdb(folder: Path, binaries: Binaries, account: Account | None, *, locale: str, password: str) -> str | None:
    with tempfile.NamedTemporaryFile("w") as password_file:
        password_file.write(password)
        password_file.flush()
        own(Path(password_file.name), account)
        arguments = ["-D", str(folder), "-U", ADMIN, "-E", "UTF8", f"--locale={locale}", "--auth=scram-sha-256"]
        done = subprocess.run(
            [binaries.program("initdb"), *arguments, f"--pwfile={password_file.name}"],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=SERVER_ENVIRONMENT,
            **process_owner(account),
        )
    return None if done.returncode == 0 else done.stderr.strip()


def _open_way(folder: Path, account: Account) -> bool:
    """Let the user pass through our own folder, where that is all it takes."""
    if not may_enter(account, folder) and may_enter(account, folder.parent):
        folder.chmod(folder.stat().st_mode | 0o011)
    return may_enter(account, folder)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
