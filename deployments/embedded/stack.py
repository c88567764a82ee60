"""What the stack consists of, given the settings and what is left of the last one."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from deployments.embedded.addresses import connection_of, prefect_database, without_login
from deployments.embedded.connection import Connection
from deployments.embedded.credentials import Credentials, ensure_credentials
from deployments.embedded.environment import (
    admin_database_environment,
    api_environment,
    base_environment,
    run_database_environment,
)
from deployments.embedded.home import Home
from deployments.embedded.no_authority import write_no_authority
from deployments.embedded.parts import Part, PartName
from deployments.embedded.ports import PortBook
from deployments.embedded.postgres import Cluster
from deployments.embedded.prefect_settings import server_environment, worker_environment
from deployments.embedded.processes import Command, is_alive
from deployments.embedded.state import StackState
from deployments.embedded.worker_name import worker_name
from maos.settings import Settings

_USUAL_API_PORT = 4200


@dataclass(frozen=True)
class Stack:
    """Every part of one stack, with the addresses that hold them together."""

    home: Home
    credentials: Credentials
    connection: Connection
    cluster: Cluster | None
    parts: tuple[Part, ...]
    bootstrap: Command


def build_stack(home: Home, settings: Settings, previous: StackState | None) -> Stack:
    """Describe the stack; nothing is started yet.

    Args:
        home: where it keeps its files.
        settings: what the operator configured, without what an earlier stack wrote.
        previous: the last stack, whose living processes keep their ports.
    """
    credentials = ensure_credentials(home.credentials)
    living = {part.name for part in previous.parts if is_alive(part.mark)} if previous else set()
    ports = PortBook(home.ports, in_use=living)
    cluster = _cluster(home, settings, credentials, ports)
    port = _api_port(settings, ports)
    connection = connection_of(
        settings, credentials, cluster=cluster, api_port=port, authorities=write_no_authority(home)
    )
    base = base_environment(home, remote=port is None) | api_environment(connection)
    server = None
    if port is not None:
        database, login = prefect_database(connection, credentials, cluster), credentials.prefect_auth_string
        own = server_environment(home, port=port, database_url=database, auth_string=login)
        server = _python(home, "prefect_server", base | own, log=PartName.PREFECT)
    return Stack(
        home=home,
        credentials=credentials,
        connection=connection,
        cluster=cluster,
        parts=(
            Part(PartName.POSTGRES, without_login(connection.database_url), cluster.command() if cluster else None),
            Part(PartName.PREFECT, connection.prefect_api_url, server),
            Part(PartName.WORKER, worker_name(), _worker(home, connection, base)),
        ),
        bootstrap=_bootstrap(home, connection, base, embedded=cluster is not None),
    )


def _cluster(home: Home, settings: Settings, credentials: Credentials, ports: PortBook) -> Cluster | None:
    if settings.database_url is not None:
        return None
    return Cluster.at(
        home.postgres,
        port=ports.choose(PartName.POSTGRES, configured=settings.postgres_port),
        password=credentials.postgres,
        log=home.log(PartName.POSTGRES),
        choice=settings.postgres_binaries,
    )


def _api_port(settings: Settings, ports: PortBook) -> int | None:
    if settings.prefect_api_url is not None:
        return None
    return ports.choose(PartName.PREFECT, configured=settings.prefect_port, usual=_USUAL_API_PORT)


def _worker(home: Home, connection: Connection, base: Mapping[str, str]) -> Command:
    environment = {**base, **run_database_environment(connection), **worker_environment(home)}
    return _python(home, "worker", environment, log=PartName.WORKER)


def _bootstrap(home: Home, connection: Connection, base: Mapping[str, str], *, embedded: bool) -> Command:
    environment = {**base, **admin_database_environment(connection)}
    return _python(home, "bootstrap", environment, *(["--embedded"] if embedded else []), log="bootstrap")


def _python(home: Home, module: str, environment: Mapping[str, str], *arguments: str, log: str) -> Command:
    """Return the command for a module of this package, run where no file configures Prefect."""
    return Command(
        arguments=(sys.executable, "-m", f"deployments.embedded.{module}", *arguments),
        environment=environment,
        folder=home.prefect,
        log=home.log(log),
    )
