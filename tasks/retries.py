"""A new run that takes up an ended one: what it reuses, what it does again."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlmodel import Session

from maos.actions import ArtifactRef
from maos.errors import BadInput, EngineFailure
from maos.plan_versions import load_plan
from maos.plans import Plan
from maos.requests import RetryOf, RunRequest
from maos.runs import Run
from maos.statuses import InvocationStatus, RunStatus
from sql import invocations, plan_revisions, runs
from sql.invocations import Verdict
from sql.session import org_session
from sql.tables import AgentInvocation, utc_now
from tasks import effects
from tasks.files import read_file, write_file
from tasks.steps import run_folder

# What may differ between a run and its retry; everything else is the same request.
_MAY_DIFFER = frozenset(
    {"retry", "initiator", "title", "autonomy", "cost_cap_usd", "token_cap", "call_cap", "parallelism"}
)


@dataclass(frozen=True)
class Retry:
    """An ended run as a new one takes it up."""

    parent: Run
    plan: Plan
    reused: tuple[str, ...]
    redone: tuple[str, ...]


def plan_retry(of: RetryOf, request: RunRequest, org_id: UUID) -> Retry:
    """Say what a retry reuses and what it does again.

    Raises:
        BadInput: when there is no such ended run of this organisation and request, or no such step.
    """
    with org_session(org_id) as session:
        parent = runs.find_run(of.run, session=session)
        if parent is None:
            raise BadInput("retry.run", str(of.run), f"a run of {request.org}")
        finished = {row.step_id for row in invocations.completed_invocations(parent.id, session=session)}
        proposals = plan_revisions.revisions_of_run(parent.id, session=session)
    _check(parent, of, request)
    again = parent.plan.downstream_of(of.from_step) if of.from_step else frozenset()
    steps = parent.plan.steps
    for revision in proposals:
        if revision.proposed_by and (revision.proposed_by in again or revision.proposed_by not in finished):
            # Whoever proposed them will do so anew.
            steps = tuple(step for step in steps if step.id not in _added_by(revision.plan))
    # Nobody waits any more for calls of an agent whose step is done.
    steps = tuple(step for step in steps if step.called_by is None or step.id in finished)
    plan = (
        parent.plan if steps == parent.plan.steps else parent.plan.model_copy(update={"steps": steps, "revisions": ()})
    )
    names = tuple(step.id for step in plan.steps)
    reused = tuple(name for name in names if name in finished - again)
    return Retry(parent=parent, plan=plan, reused=reused, redone=tuple(name for name in names if name not in reused))


def _added_by(plan: dict[str, object]) -> set[str]:
    read = load_plan(plan)
    return {step.id for step in read.steps[read.revisions[-1] if read.revisions else 0 :]}


def _check(parent: Run, of: RetryOf, request: RunRequest) -> None:
    if not parent.status.ended:
        raise BadInput("retry.run", str(parent.id), f"a run that has ended; this one is {parent.status.value}")
    if of.from_step and of.from_step not in {step.id for step in parent.plan.steps}:
        raise BadInput("from_step", of.from_step, ", ".join(step.id for step in parent.plan.steps))
    if parent.status is RunStatus.COMPLETED and of.from_step is None:
        raise BadInput("from_step", "", "the step to begin with: the run is completed, so that nothing is left to do")
    asked = request.model_dump(mode="json", exclude=set(_MAY_DIFFER))
    for name, value in asked.items():
        if parent.request.get(name) != value:
            raise BadInput(name, str(value)[:200], f"{parent.request.get(name)!r}, as in the run that is retried")


def copy_files(retry: Retry, folder: Path) -> None:
    """Give the new run its own copies of the files that reused steps made; doing it twice is harmless.

    Raises:
        BadInput: when a file is gone or is no longer what its step made.
    """
    with org_session(retry.parent.org_id) as session:
        rows = invocations.completed_invocations(retry.parent.id, session=session)
    files = [file for row in rows if row.step_id in retry.reused for file in row.artifacts]
    for file in map(ArtifactRef.model_validate, files):
        try:
            content = read_file(run_folder(retry.parent), file)
        except EngineFailure as failure:
            raise BadInput(
                "retry.run", str(retry.parent.id), f"a run whose files are there: {failure.detail}"
            ) from None
        write_file(folder, file.name, content, file.media_type)


def reuse_outcomes(retry: Retry, run: Run, *, session: Session) -> None:
    """Write the outcomes that a new run begins with: they cost nothing, and say whose they are.

    An effect of the parent whose fate is unknown is as unknown here, whatever became of its step afterwards.
    """
    for row in invocations.completed_invocations(retry.parent.id, session=session):
        if row.step_id in retry.reused:
            session.add(_reused(row, run))
    for step_id in retry.redone:
        if effects.carry_over(retry.parent.id, run, step_id, session=session):
            invocations.uncalled(run, step_id, _IN_DOUBT, session=session)


def _reused(row: AgentInvocation, run: Run) -> AgentInvocation:
    kept = {"org_id", "step_id", "agent_name", "engine_type", "action", "rehearsal", "input_summary"}
    outcome = {"output", "output_summary", "artifacts"}
    now = utc_now()
    return AgentInvocation(
        **row.model_dump(include=kept | outcome),
        run_id=run.id,
        attempt=1,
        reused_from=row.id,
        status=InvocationStatus.COMPLETED,
        started_at=now,
        completed_at=now,
    )


_IN_DOUBT = Verdict(
    InvocationStatus.IN_DOUBT,
    "whether its effect happened is not known",
    why_not_called="Begun by the run that this one retries.",
)
