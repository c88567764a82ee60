"""Real parts for the tests: one PostgreSQL cluster and one Prefect server a session, a fresh database a test."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from xdist.scheduler import LoadFileScheduling

from deployments.embedded.home import Home
from deployments.embedded.no_authority import write_no_authority
from deployments.embedded.ports import free_port
from deployments.embedded.postgres import Cluster
from deployments.embedded.prefect_api import api_client, api_fault
from deployments.embedded.prefect_settings import server_environment
from deployments.embedded.processes import Command, StopPlan, launch, stop
from sql import database as maos_database
from sql import session as maos_session

ROOT = Path(__file__).parent.parent
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_TEMPLATE = "maos_template"
_numbers = count(1)
_END_TO_END = "tests/end_to_end/"


class FilesAndOneStack(LoadFileScheduling):
    """Hands whole files to the processes of `make test`, and all end-to-end files to one, for they share a stack."""

    def _split_scope(self, nodeid: str) -> str:
        return _END_TO_END if nodeid.startswith(_END_TO_END) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesAndOneStack:
    """Distribute the tests by what they set up together."""
    return FilesAndOneStack(config, log)


@pytest.fixture(autouse=True)
def _no_action_outlives_its_test() -> Iterator[None]:
    yield
    if registry := sys.modules.get("tasks.services.registry"):
        made_here = [
            name for name, service in registry.SERVICES.items() if not service.run.__module__.startswith("tasks.")
        ]
        for name in made_here:
            del registry.SERVICES[name]


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's own user may enter, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="maos-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def cluster(short_folder: Path) -> Iterator[Cluster]:
    """A running PostgreSQL cluster."""
    running = Cluster.at(short_folder / "postgres", options=_FAST)
    running.start()
    yield running
    running.destroy()


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    """The name of a migrated database that tests clone."""
    _execute(cluster, f"CREATE DATABASE {_TEMPLATE}")
    maos_database.upgrade(cluster.url(_TEMPLATE))
    return _TEMPLATE


@pytest.fixture
def database(cluster: Cluster, template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a fresh, migrated database, which the settings name."""
    name = f"maos_test_{next(_numbers)}"
    _execute(cluster, f"CREATE DATABASE {name} TEMPLATE {template}")
    for variable in [name for name in os.environ if name.startswith("MAOS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("MAOS_DATABASE_URL", cluster.url(name))
    monkeypatch.setenv("MAOS_HOME", str(tmp_path / "maos"))
    yield cluster.url(name)
    maos_session._engine.cache_clear()
    _execute(cluster, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def org_id(database: str) -> UUID:  # noqa: ARG001 - the settings name the database
    """The id of the organisation `demo`, with its author and reviewer."""
    from sql.demo import ensure_demo_organization
    from sql.organizations import find_organization

    ensure_demo_organization()
    with maos_session.system_session() as session:
        org = find_organization("demo", session=session)
    assert org is not None
    return org.id


def _execute(cluster: Cluster, statement: str) -> None:
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture(scope="session")
def prefect_api(cluster: Cluster, short_folder: Path) -> Iterator[str]:
    """The address of a running Prefect server, which Prefect's settings name."""
    from prefect.settings import (
        PREFECT_API_AUTH_STRING,
        PREFECT_API_SSL_CERT_FILE,
        PREFECT_API_URL,
        temporary_settings,
    )

    _execute(cluster, "CREATE DATABASE prefect")
    port, login = free_port(), "maos:test"
    home = Home(short_folder / "home")
    home.prepare()
    settings = server_environment(home, port=port, database_url=cluster.url("prefect"), auth_string=login)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    server = launch(
        Command(
            arguments=(sys.executable, "-m", "deployments.embedded.prefect_server"),
            environment={**kept, "PREFECT_HOME": str(home.prefect), "PYTHONPATH": str(ROOT), **settings},
            folder=home.prefect,
            log=home.log("prefect"),
        )
    )
    api = f"http://127.0.0.1:{port}/api"
    _wait_until_it_answers(api, login)
    trusted = write_no_authority(home)
    with temporary_settings({PREFECT_API_URL: api, PREFECT_API_AUTH_STRING: login, PREFECT_API_SSL_CERT_FILE: trusted}):
        yield api
    stop(server, StopPlan())


def _wait_until_it_answers(api: str, login: str) -> None:
    deadline = time.monotonic() + 120
    with api_client(api, login) as client:
        while (fault := api_fault(client)) is not None:
            if time.monotonic() > deadline:
                raise TimeoutError(fault)
            time.sleep(0.2)
