"""Where the running stack can be reached: what `connection.json` tells the other commands."""

from pathlib import Path

from pydantic import BaseModel, ValidationError

from deployments.embedded.home import write_private


class Connection(BaseModel, frozen=True):
    """Addresses with their logins, by the names that the settings use."""

    database_url: str
    database_url_app: str | None = None
    database_url_system: str | None = None
    database_url_client: str | None = None
    prefect_api_url: str
    prefect_api_auth_string: str | None = None
    prefect_api_ssl_cert_file: str | None = None

    @property
    def ui_url(self) -> str:
        """Address of the Prefect UI."""
        return self.prefect_api_url.removesuffix("/").removesuffix("/api")

    def write(self, path: Path) -> None:
        """Tell the other commands."""
        write_private(path, self.model_dump_json(indent=2, exclude_none=True))


def read_connection(path: Path) -> Connection | None:
    """Return what a running stack has written."""
    try:
        return Connection.model_validate_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError):
        return None
