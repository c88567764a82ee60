"""What the executor hands to an engine task, and what every engine task does around its engine."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from prefect.context import TaskRunContext

from maos.runs import Run
from maos.settings import load_settings
from tasks.ledger import reread
from tasks.payloads import Payload, payload_of
from tasks.waits import wait_as_asked


@dataclass(frozen=True)
class StepOrder:
    """A step to carry out for the process of this epoch; everything else is read from the ledger."""

    run_id: UUID
    org_id: UUID
    epoch: int
    step_id: str


def take_up(order: StepOrder) -> Payload:
    """Return what the step will do, once it may be tried.

    Raises:
        InputMismatch: when what it reads does not fit what it needs.
        RuleBroken: when the rules forbid it.
        LeaseLost: when another process has taken the run up.
    """

    def present() -> Run:
        return reread(order.run_id, order.org_id, order.epoch)

    wait_as_asked(present(), order.step_id, still_ours=present)
    return payload_of(present(), order.step_id)


def run_folder(run: Run) -> Path:
    """Return the run's folder for files, made if missing; its place follows from ids alone."""
    return folder_of(run.org, run.id)


def folder_of(org: str, run_id: UUID) -> Path:
    """Return the folder of a run that may not be opened yet."""
    folder = load_settings().artifact_store / org / str(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def task_run_id() -> UUID | None:
    """Return the id of the Prefect task run this code is in, if it is in one."""
    context = TaskRunContext.get()
    return context.task_run.id if context else None
