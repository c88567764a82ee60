"""The processes of the stack as its supervisor writes them down."""

from pathlib import Path

from pydantic import BaseModel, ValidationError

from deployments.embedded.home import write_private
from deployments.embedded.processes import ProcessMark, is_alive


class PartState(BaseModel, frozen=True):
    """One part: where it answers and, where it runs here, as which process."""

    name: str
    address: str
    mark: ProcessMark | None = None
    fingerprint: str = ""


class StackState(BaseModel, frozen=True):
    """The supervisor and its parts."""

    supervisor: ProcessMark
    ready: bool
    parts: tuple[PartState, ...] = ()

    @property
    def is_supervised(self) -> bool:
        """Whether the supervisor that wrote this still runs."""
        return is_alive(self.supervisor)

    def part(self, name: str) -> PartState | None:
        """Return a part by its name."""
        return next((part for part in self.parts if part.name == name), None)

    def write(self, path: Path) -> None:
        """Replace what was written before."""
        write_private(path, self.model_dump_json(indent=2))


def read_state(path: Path) -> StackState | None:
    """Return the last state written; a damaged file counts as none."""
    try:
        return StackState.model_validate_json(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValidationError):
        return None
