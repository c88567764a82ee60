"""One PostgreSQL cluster of our own: made, started, mended and stopped without a database administrator."""

import contextlib
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from deployments.embedded.accounts import Account
from deployments.embedded.binaries import Binaries, Choice, find_binaries, reachable
from deployments.embedded.cluster_data import (
    ADMIN,
    SERVER_ENVIRONMENT,
    data_account,
    data_folder,
    initialise,
    major_version,
)
from deployments.embedded.home import tail
from deployments.embedded.parts import STOP_PLANS, PartName
from deployments.embedded.ports import free_port
from deployments.embedded.processes import Command, ProcessMark, end_all, is_alive, launch, mark_of, stop, wait_gone
from maos.errors import StackError

_START_SECONDS = 60.0
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "effective_cache_size": "1GB",
    "max_wal_size": "1GB",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    # The small shared memory of containers makes parallel queries fail; a small machine gains nothing by them.
    "max_parallel_workers_per_gather": "0",
    "log_line_prefix": "%m [%p] %u@%d ",
}


@dataclass(frozen=True)
class Cluster:
    """A cluster with its data in one folder, on one port of 127.0.0.1."""

    folder: Path
    binaries: Binaries
    port: int
    password: str
    log: Path
    account: Account | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def at(
        cls,
        link: Path,
        *,
        options: Mapping[str, str] | None = None,
        port: int | None = None,
        password: str | None = None,
        log: Path | None = None,
        choice: Choice = "auto",
    ) -> "Cluster":
        """Describe the cluster whose data are at this path; where PostgreSQL's user cannot come, a link is put there.

        Args:
            link: where the data are, or shall be.
            options: settings of the server, such as `{"fsync": "off"}`.
            port: a free one by default.
            password: of the login `maos_admin`; random by default, which suits a new cluster only.
            log: beside the data by default.
            choice: which PostgreSQL to run.
        """
        account = data_account(link)
        folder = data_folder(link, account)
        return cls(
            folder=folder,
            binaries=reachable(find_binaries(choice, major=major_version(folder)), account),
            port=port or free_port(),
            password=password or secrets.token_urlsafe(24),
            log=log or link.with_name(f"{link.name}.log"),
            account=account,
            options=options or {},
        )

    def url(self, database: str = "postgres", *, user: str = ADMIN, password: str | None = None) -> str:
        """Return the address of a database for a login."""
        return f"postgresql://{user}:{quote(password or self.password)}@127.0.0.1:{self.port}/{database}"

    def start(self) -> ProcessMark:
        """Make the cluster where there is none, start it and wait until it answers."""
        self.prepare()
        mark = launch(self.command())
        try:
            self.wait_ready(lambda: self._refuse_dead(mark))
        except BaseException:
            stop(mark, STOP_PLANS[PartName.POSTGRES])
            raise
        return mark

    def stop(self) -> None:
        """Stop the server of this cluster, whoever started it."""
        stop_server(self.folder)

    def destroy(self) -> None:
        """Stop the server and delete the data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def prepare(self) -> None:
        """Make the cluster where there is none; stop a server that still runs on its data."""
        if major_version(self.folder) is None:
            initialise(self.folder, binaries=self.binaries, account=self.account, password=self.password)
        self.stop()

    def command(self) -> Command:
        """Return the command that runs the server."""
        options = {**_OPTIONS, "port": str(self.port), **self.options}
        arguments = [f"-c{name}={value}" for name, value in options.items()]
        return Command(
            arguments=(self.binaries.program("postgres"), "-D", str(self.folder), *arguments),
            environment=SERVER_ENVIRONMENT,
            folder=self.folder,
            log=self.log,
            account=self.account,
        )

    def wait_ready(self, check: Callable[[], object]) -> None:
        """Wait until the server answers.

        Args:
            check: called again and again; raises when there is nothing to wait for.
        """
        deadline = time.monotonic() + _START_SECONDS
        while (complaint := connection_fault(self.url())) is not None:
            if "password authentication failed" in complaint:
                raise StackError("postgres", f"the stored password does not open the data in {self.folder}")
            if time.monotonic() > deadline:
                raise StackError("postgres", f"does not answer: {complaint}")
            check()
            time.sleep(0.05)

    def _refuse_dead(self, mark: ProcessMark) -> None:
        if not is_alive(mark):
            raise StackError("postgres", f"does not start:\n{tail(self.log)}")


def running_server(folder: Path) -> ProcessMark | None:
    """Return the server of the data in this folder, as its pid file and its working folder prove it."""
    try:
        pid = int((folder / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None
    return mark_of(pid) if any(process.pid == pid for process in _processes(folder)) else None


def stop_server(folder: Path) -> bool:
    """Stop whatever server runs on the data in this folder and clear what a killed one left; say whether one ran."""
    mark = running_server(folder)
    if mark is not None:
        stop(mark, STOP_PLANS[PartName.POSTGRES])
    # The children of a killed server lead sessions of their own and end a moment after it.
    wait_gone(_processes(folder), 3.0)
    end_all(partial(_processes, folder), 3.0)
    # The number in a stale file may belong to another process by now; PostgreSQL would then refuse to start.
    with contextlib.suppress(FileNotFoundError):
        (folder / "postmaster.pid").unlink()
    return mark is not None


def connection_fault(url: str) -> str | None:
    """Return why a database cannot be asked, or nothing when it answers."""
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        return str(error)
    return None


def _processes(folder: Path) -> list[psutil.Process]:
    """Return PostgreSQL's processes that work in the data folder, as all of them do."""
    path = str(folder.resolve())
    # By name as well: a person's shell may stand in the folder.
    servers = (process for process in psutil.process_iter(["name"]) if process.info["name"] == "postgres")
    return [process for process in servers if _working_folder(process) == path]


def _working_folder(process: psutil.Process) -> str | None:
    with contextlib.suppress(psutil.Error, OSError):
        return str(process.cwd())
    return None
