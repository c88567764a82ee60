"""The parts of the stack, in the order in which they start."""

import hashlib
import json
import signal
from dataclasses import dataclass
from enum import StrEnum

from deployments.embedded.processes import Command, StopPlan

_FINGERPRINTED = ("MAOS_", "PREFECT_")


class PartName(StrEnum):
    """What a part is called in every listing."""

    POSTGRES = "postgres"
    PREFECT = "prefect"
    WORKER = "worker"


STOP_PLANS = {
    # Fast, then immediate shutdown: neither loses a committed transaction.
    PartName.POSTGRES: StopPlan(((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))),
    PartName.PREFECT: StopPlan(((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0))),
    PartName.WORKER: StopPlan(((signal.SIGTERM, 15.0), (signal.SIGKILL, 5.0))),
}


@dataclass(frozen=True)
class Part:
    """One part: where it answers and, unless it runs elsewhere, how it is started."""

    name: PartName
    address: str
    command: Command | None = None

    @property
    def fingerprint(self) -> str:
        """Changes with whatever makes a running process unfit to be taken over."""
        if self.command is None:
            return ""
        settings = {k: v for k, v in self.command.environment.items() if k.startswith(_FINGERPRINTED)}
        described = json.dumps([list(self.command.arguments), settings], sort_keys=True)
        return hashlib.sha256(described.encode()).hexdigest()
