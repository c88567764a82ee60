"""What the stack consists of, given the settings and what is left of the last one."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from deployments.connection import Connection
from deployments.credentials import Credentials, ensure_credentials
from deployments.databases import MAOS, PREFECT
from deployments.environment import (
    admin_database_environment,
    api_environment,
    base_environment,
    run_database_environment,
)
from deployments.home import Home
from deployments.parts import Part, PartName
from deployments.ports import PortBook
from deployments.postgres import Cluster
from deployments.prefect_settings import server_environment, worker_environment
from deployments.processes import Command, is_alive
from deployments.state import StackState
from deployments.worker_name import worker_name
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
    cluster = None if settings.database_url else _cluster(home, settings, credentials, ports)
    api_port = None
    if settings.prefect_api_url is None:
        api_port = ports.choose(PartName.PREFECT, configured=settings.prefect_port, usual=_USUAL_API_PORT)
    databases = _given_databases(settings) if cluster is None else _own_databases(cluster, credentials)
    connection = Connection.model_validate(databases | _api(settings, credentials, api_port))
    base = base_environment(home, remote=api_port is None) | api_environment(connection)
    return Stack(
        home=home,
        credentials=credentials,
        connection=connection,
        cluster=cluster,
        parts=(
            Part(PartName.POSTGRES, _place(connection.database_url), cluster.command() if cluster else None),
            _prefect_part(home, connection, credentials, base, api_port, cluster),
            _worker_part(home, connection, base),
        ),
        bootstrap=_python(
            home, "bootstrap", base | admin_database_environment(connection), *(["--embedded"] if cluster else [])
        ),
    )


def _cluster(home: Home, settings: Settings, credentials: Credentials, ports: PortBook) -> Cluster:
    return Cluster.at(
        home.postgres,
        port=ports.choose(PartName.POSTGRES, configured=settings.postgres_port),
        password=credentials.postgres,
        log=home.log(PartName.POSTGRES),
        choice=settings.postgres_binaries,
    )


def _own_databases(cluster: Cluster, credentials: Credentials) -> dict[str, str | None]:
    return {
        "database_url": cluster.url(MAOS),
        "database_url_app": cluster.url(MAOS, user="maos_app", password=credentials.maos_app),
        "database_url_system": cluster.url(MAOS, user="maos_system", password=credentials.maos_system),
        "database_url_client": cluster.url(MAOS, user="maos_client", password=credentials.maos_client),
    }


def _given_databases(settings: Settings) -> dict[str, str | None]:
    return {
        "database_url": _plain(settings.database_url),
        "database_url_app": _plain(settings.database_url_app),
        "database_url_system": _plain(settings.database_url_system),
        "database_url_client": _plain(settings.database_url_client),
    }


def _api(settings: Settings, credentials: Credentials, port: int | None) -> dict[str, str | None]:
    if port is None:
        return {
            "prefect_api_url": settings.prefect_api_url,
            "prefect_api_auth_string": _plain(settings.prefect_api_auth_string),
        }
    return {
        "prefect_api_url": f"http://127.0.0.1:{port}/api",
        "prefect_api_auth_string": credentials.prefect_auth_string,
    }


def _prefect_part(
    home: Home,
    connection: Connection,
    credentials: Credentials,
    base: Mapping[str, str],
    port: int | None,
    cluster: Cluster | None,
) -> Part:
    if port is None:
        return Part(PartName.PREFECT, connection.prefect_api_url)
    database = urlunsplit(urlsplit(connection.database_url)._replace(path=f"/{PREFECT}"))
    if cluster is not None:
        database = cluster.url(PREFECT, user=PREFECT, password=credentials.prefect_database)
    settings = server_environment(home, port=port, database_url=database, auth_string=credentials.prefect_auth_string)
    return Part(PartName.PREFECT, connection.prefect_api_url, _python(home, "prefect_server", {**base, **settings}))


def _worker_part(home: Home, connection: Connection, base: Mapping[str, str]) -> Part:
    environment = {**base, **run_database_environment(connection), **worker_environment(home)}
    return Part(PartName.WORKER, worker_name(), _python(home, "worker", environment))


def _python(home: Home, module: str, environment: Mapping[str, str], *arguments: str) -> Command:
    """Return the command for a module of this package, far from any file that configures Prefect."""
    return Command(
        arguments=(sys.executable, "-m", f"deployments.{module}", *arguments),
        environment=environment,
        folder=home.prefect,
        log=home.log(module.replace("prefect_server", "prefect")),
    )


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def _place(database_url: str) -> str:
    """Return an address without its login."""
    parts = urlsplit(database_url)
    return f"{parts.hostname or ''}:{parts.port or 5432}{parts.path}"
