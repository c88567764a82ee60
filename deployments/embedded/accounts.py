"""The user PostgreSQL runs as: it refuses to run as root."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from maos.errors import StackError

_CANDIDATES = ("postgres", "nobody")


class ProcessOwner(TypedDict, total=False):
    """The arguments of `subprocess.Popen` that change the user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """Another user of this machine."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """Return the user to drop to, or nothing for an ordinary user."""
    if os.geteuid() != 0:
        return None
    present = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in _CANDIDATES:
        if name in present:
            return Account(name, present[name].pw_uid, present[name].pw_gid)
    raise StackError("postgres", f"root needs another user to run it as: {' or '.join(_CANDIDATES)}")


def process_owner(account: Account | None) -> ProcessOwner:
    """Return what `subprocess.Popen` needs to run as this user."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def may_enter(account: Account | None, folder: Path) -> bool:
    """Say whether the user can reach this folder through all its parents."""
    if account is None:
        return True
    # Tried rather than computed: access control lists and mounts decide as well.
    command = ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)]
    attempt = subprocess.run(command, cwd="/", check=False, capture_output=True, **process_owner(account))
    return attempt.returncode == 0


def own(path: Path, account: Account | None) -> None:
    """Give a file or folder to the user."""
    if account is not None:
        os.chown(path, account.uid, account.gid)
