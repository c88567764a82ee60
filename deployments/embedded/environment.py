"""The environment of the stack's processes: the caller's, without what would lead them elsewhere."""

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import deployments
from deployments.embedded.connection import Connection
from deployments.embedded.home import Home

PROJECT = Path(deployments.__file__).resolve().parents[1]
# What an operator may set for a Prefect server elsewhere: certificates, headers, time limits.
_REMOTE_PREFIXES = ("PREFECT_API_", "PREFECT_CLIENT_")
_OWN_NAMES = frozenset({"PREFECT_API_URL", "PREFECT_API_AUTH_STRING"})
_DATABASE_PREFIX = "MAOS_DATABASE_URL"
# Every process of a stack carries it, which finds those that a killed supervisor or worker has left.
STACK_VARIABLE = "MAOS_STACK"


def base_environment(home: Home, *, remote: bool) -> dict[str, str]:
    """Return the caller's environment, cleaned of its own Prefect and database addresses.

    Args:
        home: the folder of the stack.
        remote: whether the Prefect server is elsewhere, which the caller's Prefect settings may be meant for.
    """
    kept = {name: value for name, value in os.environ.items() if _is_kept(name, remote=remote)}
    no_proxy = ",".join(filter(None, [kept.get("no_proxy") or kept.get("NO_PROXY"), "127.0.0.1", "localhost"]))
    return kept | {
        "MAOS_HOME": str(home.folder),
        STACK_VARIABLE: str(home.folder),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]),
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
        "PYTHONUNBUFFERED": "1",
        **_import_environment(home, kept),
        "PREFECT_HOME": str(home.prefect),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


def api_environment(connection: Connection) -> dict[str, str]:
    """Return how a process reaches the Prefect API."""
    settings = {
        "PREFECT_API_URL": connection.prefect_api_url,
        "PREFECT_API_AUTH_STRING": connection.prefect_api_auth_string,
        "PREFECT_API_SSL_CERT_FILE": connection.prefect_api_ssl_cert_file,
    }
    return {name: value for name, value in settings.items() if value is not None}


def run_database_environment(connection: Connection) -> dict[str, str]:
    """Return how a run reaches the database: never as the administrator, where the roles have logins."""
    logins = {
        "MAOS_DATABASE_URL_APP": connection.database_url_app,
        "MAOS_DATABASE_URL_SYSTEM": connection.database_url_system,
    }
    given = {name: value for name, value in logins.items() if value is not None}
    return given if len(given) == len(logins) else given | {"MAOS_DATABASE_URL": connection.database_url}


def admin_database_environment(connection: Connection) -> dict[str, str]:
    """Return every database address, for the process that migrates."""
    return {
        f"MAOS_{name.upper()}": value
        for name, value in connection.model_dump(exclude_none=True).items()
        if name.startswith("database_url")
    }


def import_path(ambient: Mapping[str, str]) -> str:
    """Return the import path by which a process finds this project first."""
    others = [folder for folder in ambient.get("PYTHONPATH", "").split(os.pathsep) if folder not in ("", str(PROJECT))]
    return os.pathsep.join([str(PROJECT), *others])


def _is_kept(name: str, *, remote: bool) -> bool:
    if name in _OWN_NAMES or name.startswith(_DATABASE_PREFIX):
        return False
    return not name.startswith("PREFECT_") or (remote and name.startswith(_REMOTE_PREFIXES))


def _import_environment(home: Home, ambient: Mapping[str, str]) -> dict[str, str]:
    """Return what lets the processes import this project, quickly."""
    settings: dict[str, str] = {}
    if PROJECT.name not in {"site-packages", "dist-packages"}:
        settings["PYTHONPATH"] = import_path(ambient)
    prefect = importlib.util.find_spec("prefect")
    if prefect and prefect.origin and not Path(importlib.util.cache_from_source(prefect.origin)).exists():
        # Compiling all of Prefect takes longer than anything else here, so its result is kept somewhere.
        settings |= {"PYTHONPYCACHEPREFIX": str(home.bytecode), "PYTHONDONTWRITEBYTECODE": ""}
    return settings
