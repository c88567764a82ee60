"""What was last registered with the Prefect server, so that an unchanged project costs nothing."""

import hashlib
from pathlib import Path

import httpx
from pydantic import BaseModel, ValidationError

from deployments.embedded.environment import PROJECT
from deployments.embedded.home import write_private

PREFECT_FILE = PROJECT / "prefect.yaml"
_PACKAGES = ("maos", "flows", "tasks", "blocks", "deployments")


class Registry(BaseModel, frozen=True):
    """What the server was told, and where to look whether it still knows."""

    digest: str
    api_url: str
    paths: tuple[str, ...]

    def write(self, path: Path) -> None:
        """Remember it for the next start."""
        write_private(path, self.model_dump_json(indent=2))

    def is_current(self, *, digest: str, api_url: str) -> bool:
        """Say whether the project and the server are still the same."""
        return (self.digest, self.api_url) == (digest, api_url)

    def is_known(self, client: httpx.Client) -> bool:
        """Say whether nobody has deleted any of it."""
        return all(client.get(path).status_code == httpx.codes.OK for path in self.paths)


def read_registry(path: Path) -> Registry | None:
    """Return what was last registered from this machine."""
    try:
        return Registry.model_validate_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError):
        return None


def project_digest() -> str:
    """Return a value that changes with anything that deployments and block types are made from."""
    digest = hashlib.sha256(PREFECT_FILE.read_bytes())
    for package in _PACKAGES:
        for source in sorted((PROJECT / package).rglob("*.py")):
            digest.update(str(source.relative_to(PROJECT)).encode())
            digest.update(source.read_bytes())
    return digest.hexdigest()
