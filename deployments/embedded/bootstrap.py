"""Bring the databases, and what the Prefect server knows of this project, up to date; run by the supervisor."""

import importlib
import sys
import time
from pathlib import Path

from deployments.embedded.credentials import ensure_credentials
from deployments.embedded.databases import give_logins
from deployments.embedded.exposure import check_api
from deployments.embedded.home import Home
from deployments.embedded.limits import ensure_limits
from deployments.embedded.prefect_api import api_client, api_fault, serves_strangers
from deployments.embedded.registry import project_digest, read_registry
from maos.errors import MaosError, StackError
from maos.settings import Settings, home_folder, load_settings
from sql.database import upgrade
from sql.demo import ensure_demo_organization, ensure_demo_workflows
from tasks.logs import guard
from tasks.secrecy import without_secrets

_API_SECONDS = 120.0
_WORKFLOWS = Path(__file__).resolve().parent.parent.parent / "examples" / "workflows"


def migrate(settings: Settings, home: Home, *, embedded: bool) -> None:
    """Migrate the maos database; in our own cluster, make the logins and the demo organisation too."""
    if settings.database_url is None:
        raise StackError("bootstrap", "no database address was given")
    admin_url = settings.database_url.get_secret_value()
    upgrade(admin_url)
    if embedded:
        give_logins(admin_url, ensure_credentials(home.credentials))
        ensure_demo_organization()
        ensure_demo_workflows(_WORKFLOWS)


def register(settings: Settings, home: Home) -> None:
    """Set the limits of the engines; register blocks and deployments, unless the server knows them as they are."""
    api_url, auth = settings.prefect_api_url or "", settings.prefect_api_auth_string
    digest, last = project_digest(), read_registry(home.registry)
    unchanged = last is not None and last.is_current(digest=digest, api_url=api_url)
    if not unchanged:
        # Loading Prefect takes seconds: only where it is needed, and then while the server is still starting.
        importlib.import_module("deployments.embedded.registration")
    with api_client(api_url, auth.get_secret_value() if auth else None) as client:
        deadline = time.monotonic() + _API_SECONDS
        while (fault := api_fault(client)) is not None:
            if time.monotonic() > deadline:
                raise StackError("prefect", fault)
            time.sleep(0.1)
        check_api(api_url, serves_strangers=lambda: serves_strangers(api_url))
        ensure_limits(client, settings)
        if unchanged and last is not None and last.is_known(client):
            return
    from deployments.embedded.registration import register_project

    register_project(digest, api_url=api_url).write(home.registry)


def main() -> int:
    """Do both; the supervisor shows what is printed when it fails."""
    settings, home = load_settings(), Home(home_folder())
    guard()
    try:
        migrate(settings, home, embedded="--embedded" in sys.argv)
        register(settings, home)
    except MaosError as error:
        print(without_secrets(f"error: {error}"), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
