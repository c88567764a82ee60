"""A cluster of our own starts for any user, is closed to others, and mends what a crash has left."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from deployments.embedded.binaries import Choice, find_binaries
from deployments.embedded.postgres import Cluster, connection_fault, running_server, stop_server
from deployments.embedded.processes import ProcessMark, is_alive
from maos.errors import StackError

_FAST = {"fsync": "off"}
_AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run PostgreSQL as another user")


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder in one that only its owner may enter, as a home folder often is."""
    outer = Path(tempfile.mkdtemp(prefix="maos-closed-"))
    (outer / "inner").mkdir(mode=0o700)
    yield outer / "inner"
    shutil.rmtree(outer)


@pytest.fixture
def own_cluster(closed_folder: Path) -> Iterator[Cluster]:
    """A cluster that a test may kill."""
    described = Cluster.at(closed_folder / "postgres", options=_FAST)
    described.start()
    yield described
    described.destroy()


def _server(cluster: Cluster) -> ProcessMark:
    mark = running_server(cluster.folder)
    assert mark is not None
    return mark


@pytest.mark.parametrize("choice", ["system", "bundled"])
def test_a_cluster_of_either_build_starts_answers_and_stops(choice: Choice, closed_folder: Path) -> None:
    try:
        find_binaries(choice)
    except StackError as missing:
        reason = f"NOT PROVED: this PostgreSQL, because {missing}"
        pytest.fail(reason) if os.environ.get("MAOS_PROVE_ALL") else pytest.skip(reason)
    described = Cluster.at(closed_folder / "postgres", choice=choice, options=_FAST)
    mark = described.start()

    with psycopg.connect(described.url(), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pg_trgm")
        shown = connection.execute("SHOW server_encoding").fetchone()
    described.destroy()

    assert shown == ("UTF8",)
    assert not is_alive(mark)
    assert not described.folder.exists()


def test_a_wrong_password_is_refused(own_cluster: Cluster) -> None:
    fault = connection_fault(own_cluster.url(password="wrong"))

    assert fault is not None
    assert "password authentication failed" in fault


def test_a_cluster_listens_on_loopback_only(own_cluster: Cluster) -> None:
    process = psutil.Process(_server(own_cluster).pid)

    assert {each.laddr.ip for each in process.net_connections("inet") if each.status == "LISTEN"} == {"127.0.0.1"}
    assert [each.laddr for each in process.net_connections("unix") if each.laddr] == []


def test_the_data_outlive_a_stop(own_cluster: Cluster) -> None:
    with psycopg.connect(own_cluster.url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
    own_cluster.stop()
    own_cluster.start()

    with psycopg.connect(own_cluster.url()) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (1,)


def test_a_killed_server_starts_again(own_cluster: Cluster) -> None:
    killed = _server(own_cluster)
    os.kill(killed.pid, signal.SIGKILL)

    assert is_alive(own_cluster.start())
    assert connection_fault(own_cluster.url()) is None


def test_a_stale_pid_file_that_names_a_living_process_is_no_hindrance(own_cluster: Cluster) -> None:
    killed = _server(own_cluster)
    os.kill(killed.pid, signal.SIGKILL)
    pid_file = own_cluster.folder / "postmaster.pid"
    pid_file.write_text(pid_file.read_text().replace(str(killed.pid), str(os.getpid()), 1))

    assert running_server(own_cluster.folder) is None
    assert is_alive(own_cluster.start())


def test_a_server_of_an_earlier_start_is_replaced_not_joined(own_cluster: Cluster) -> None:
    first = _server(own_cluster)
    second = own_cluster.start()

    assert not is_alive(first)
    assert is_alive(second)


def test_stopping_what_does_not_run_says_so(own_cluster: Cluster) -> None:
    assert stop_server(own_cluster.folder)
    assert not stop_server(own_cluster.folder)


def test_an_interrupted_first_start_is_begun_anew(closed_folder: Path) -> None:
    described = Cluster.at(closed_folder / "postgres", options=_FAST)
    half_made = described.folder.with_name(f"{described.folder.name}.new")
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("15")
    described.start()

    assert connection_fault(described.url()) is None
    assert not half_made.exists()

    described.destroy()


@_AS_ROOT
def test_as_root_the_data_lie_where_another_user_may_come(own_cluster: Cluster, closed_folder: Path) -> None:
    link = closed_folder / "postgres"
    server = _server(own_cluster)

    assert link.is_symlink()
    assert link.resolve() == own_cluster.folder
    assert own_cluster.folder.parent == Path("/var/lib/maos")
    assert own_cluster.folder.stat().st_mode & 0o777 == 0o700
    assert psutil.Process(server.pid).uids().real != 0


@_AS_ROOT
def test_as_root_an_open_path_holds_the_data_itself() -> None:
    folder = Path(tempfile.mkdtemp(prefix="maos-open-"))
    described = Cluster.at(folder / "postgres", options=_FAST)

    assert described.folder == folder / "postgres"
    assert folder.stat().st_mode & 0o777 == 0o711

    folder.rmdir()
