"""Reading a run and what is finished and decided of it: the truth the executor goes by."""

from collections.abc import Collection, Iterable
from uuid import UUID

from sqlmodel import Session

from maos.actions import JsonObject
from maos.approvals import Approval
from maos.errors import LeaseLost
from maos.runs import Ledger, Run
from maos.votes import Vote
from sql import approvals, invocations, runs, votes
from sql.session import org_session, system_session
from tasks.expiry import expire_all
from tasks.leases import release_lease, run_session, take_lease
from tasks.outages import outlasting

# A run has a hundred steps at most.
_MOST_DUE = 200


@outlasting
def find_run(run_id: UUID) -> Run | None:
    """Return a run that was opened before, or None."""
    with system_session() as session:
        return runs.find_run(run_id, session=session)


@outlasting
def reread(run_id: UUID, org_id: UUID, epoch: int) -> Run:
    """Return the run as it stands now, for the process that has it.

    Raises:
        LeaseLost: when another process has taken it up.
    """
    with org_session(org_id) as session:
        run = runs.find_run(run_id, session=session)
    if run is None or run.epoch != epoch:
        raise LeaseLost(str(run_id))
    return run


def take_up(run: Run) -> Run:
    """Wait until no other process holds the run, hold it, and return it as it stands then.

    Raises:
        LeaseLost: when another process holds it, or has brought it to its end meanwhile.
    """
    held = take_lease(run)
    now = reread(run.id, run.org_id, held.epoch)
    if now.status.ended and not run.status.ended:
        release_lease(now)
        raise LeaseLost(str(run.id))
    return now


@outlasting
def survey(run: Run) -> tuple[Run, Ledger]:
    """Return the run as it stands now with its ledger; approvals whose time has passed are expired first.

    Raises:
        LeaseLost: when another process has taken it up.
    """
    with run_session(run) as session:
        expire_all(approvals.lock_due(run.id, limit=_MOST_DUE, session=session), session=session)
        present = runs.find_run(run.id, session=session) or run
        return present, ledger_of(present, session=session)


def ledger_of(run: Run, *, session: Session) -> Ledger:
    """Return what the ledger says of a run's steps."""
    states = invocations.step_states(run.id, run.attempt, session=session)
    return Ledger(
        finished=states.finished,
        failed=states.failed,
        skipped=states.skipped,
        turns=states.turns,
        in_doubt=frozenset(states.in_doubt),
        approvals=approvals.newest_approvals(run.id, session=session),
    )


@outlasting
def votes_of(run: Run, waiting: Iterable[Approval]) -> dict[UUID, list[Vote]]:
    """Return the votes on approvals of a run."""
    with org_session(run.org_id) as session:
        return votes.votes_on([approval.id for approval in waiting], session=session)


@outlasting
def outputs_of(run: Run, step_ids: Collection[str]) -> dict[str, JsonObject]:
    """Return the outputs of those of the steps that are completed."""
    with org_session(run.org_id) as session:
        return invocations.outputs_of(run.id, step_ids, session=session)
