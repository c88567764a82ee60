"""The passwords of the embedded stack, generated once."""

import secrets
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from deployments.embedded.home import write_private
from maos.errors import StackError

API_USER = "maos"


def _password() -> str:
    # Every character of it may stand in an address as it is.
    return secrets.token_urlsafe(24)


class Credentials(BaseModel):
    """One password for each login."""

    postgres: str = Field(default_factory=_password)
    maos_app: str = Field(default_factory=_password)
    maos_system: str = Field(default_factory=_password)
    prefect_database: str = Field(default_factory=_password)
    prefect_api: str = Field(default_factory=_password)

    @property
    def prefect_auth_string(self) -> str:
        """What the Prefect server asks of every caller, and its UI of every person."""
        return f"{API_USER}:{self.prefect_api}"


def ensure_credentials(path: Path) -> Credentials:
    """Read the passwords, generating those that are missing."""
    stored = path.read_text(encoding="utf-8") if path.exists() else "{}"
    try:
        credentials = Credentials.model_validate_json(stored)
    except ValidationError:
        # Not chained: the error repeats what it could not read.
        raise StackError("credentials", f"{path} is damaged") from None
    if (text := credentials.model_dump_json(indent=2)) != stored:
        write_private(path, text)
    return credentials
