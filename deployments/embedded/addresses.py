"""Put together every address of a stack, from what was configured and what it runs itself."""

from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from deployments.embedded.connection import Connection
from deployments.embedded.credentials import Credentials
from deployments.embedded.databases import MAOS, PREFECT
from deployments.embedded.postgres import Cluster
from maos.settings import Settings


def connection_of(
    settings: Settings, credentials: Credentials, *, cluster: Cluster | None, api_port: int | None, authorities: str
) -> Connection:
    """Return the addresses that everything of the stack uses.

    Args:
        settings: what the operator configured.
        credentials: of what we run ourselves.
        cluster: our own, unless there is one elsewhere.
        api_port: of our own Prefect server, unless there is one elsewhere.
        authorities: the file of those that are trusted for our own.
    """
    databases = _configured_databases(settings) if cluster is None else _own_databases(cluster, credentials)
    api = _configured_api(settings) if api_port is None else _own_api(api_port, credentials, authorities)
    return Connection.model_validate(databases | api)


def prefect_database(connection: Connection, credentials: Credentials, cluster: Cluster | None) -> str:
    """Return the address of Prefect's database: its own login in our cluster, else beside the given one."""
    if cluster is not None:
        return cluster.url(PREFECT, user=PREFECT, password=credentials.prefect_database)
    return urlunsplit(urlsplit(connection.database_url)._replace(path=f"/{PREFECT}"))


def without_login(database_url: str) -> str:
    """Return an address as it may be shown."""
    parts = urlsplit(database_url)
    return f"{parts.hostname or ''}:{parts.port or 5432}{parts.path}"


def _own_databases(cluster: Cluster, credentials: Credentials) -> dict[str, str | None]:
    return {
        "database_url": cluster.url(MAOS),
        "database_url_app": cluster.url(MAOS, user="maos_app", password=credentials.maos_app),
        "database_url_system": cluster.url(MAOS, user="maos_system", password=credentials.maos_system),
        "database_url_client": cluster.url(MAOS, user="maos_client", password=credentials.maos_client),
    }


def _configured_databases(settings: Settings) -> dict[str, str | None]:
    return {
        "database_url": _plain(settings.database_url),
        "database_url_app": _plain(settings.database_url_app),
        "database_url_system": _plain(settings.database_url_system),
        "database_url_client": _plain(settings.database_url_client),
    }


def _own_api(port: int, credentials: Credentials, authorities: str) -> dict[str, str | None]:
    return {
        "prefect_api_url": f"http://127.0.0.1:{port}/api",
        "prefect_api_auth_string": credentials.prefect_auth_string,
        "prefect_api_ssl_cert_file": authorities,
    }


def _configured_api(settings: Settings) -> dict[str, str | None]:
    return {
        "prefect_api_url": settings.prefect_api_url,
        "prefect_api_auth_string": _plain(settings.prefect_api_auth_string),
        "prefect_api_ssl_cert_file": settings.prefect_api_ssl_cert_file,
    }


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
