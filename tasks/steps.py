"""What the executor hands to an engine task, and what every engine task does around its engine."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from prefect.context import TaskRunContext

from maos.runs import Run
from maos.settings import load_settings
from tasks.ledger import read_ledger, reread
from tasks.payloads import Payload, payload_of


@dataclass(frozen=True)
class StepOrder:
    """A step to carry out; everything else is read from the ledger."""

    run_id: UUID
    org_id: UUID
    step_id: str


def take_up(order: StepOrder) -> Payload | None:
    """Return what the step will do, or None when it is done already."""
    run = reread(order.run_id, order.org_id)
    ledger = read_ledger(run)
    if order.step_id in ledger.finished:
        return None
    return payload_of(run, order.step_id, ledger)


def run_folder(run: Run) -> Path:
    """Return the run's folder for files, made if missing; its place follows from ids alone."""
    folder = load_settings().artifact_store / run.org / str(run.id)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def task_run_id() -> UUID | None:
    """Return the id of the Prefect task run this code is in, if it is in one."""
    context = TaskRunContext.get()
    return context.task_run.id if context else None
