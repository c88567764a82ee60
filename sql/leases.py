"""The lease of a run: which process may write to it, until when; times are the database's."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, func, literal_column, or_, update
from sqlalchemy import select as columns
from sqlmodel import Session, col, select

from sql.pipelines import Order, Rows, Worded
from sql.session import org_session_with
from sql.tables import AgentInvocation, OrchestratorRun

_LOCKED_EPOCH = Worded(
    columns(col(OrchestratorRun.epoch))
    .where(col(OrchestratorRun.id) == bindparam("run_id"))
    # Not stronger: rows that refer to the run must not wait for it.
    .with_for_update(key_share=True)
)


def take_lease(run_id: UUID, lasting: timedelta, *, session: Session) -> int | None:
    """Take a run up if no process holds it; return the new epoch, or None while another one does."""
    taken = session.execute(
        update(OrchestratorRun)
        .where(col(OrchestratorRun.id) == run_id, _free())
        .values(epoch=OrchestratorRun.epoch + 1, lease_expires_at=func.now() + lasting)
        .returning(col(OrchestratorRun.epoch))
    )
    return taken.scalar()


def renew_lease(run_id: UUID, epoch: int, lasting: timedelta, *, session: Session) -> bool:
    """Hold a run longer; return False when another process has taken it up."""
    return _set_expiry(run_id, epoch, func.now() + lasting, session=session)


def release_lease(run_id: UUID, epoch: int, *, session: Session) -> bool:
    """Let the next process take the run up at once."""
    return _set_expiry(run_id, epoch, None, session=session)


def _set_expiry(run_id: UUID, epoch: int, expiry: object, *, session: Session) -> bool:
    changed = session.execute(
        update(OrchestratorRun)
        .where(col(OrchestratorRun.id) == run_id, col(OrchestratorRun.epoch) == epoch)
        .values(lease_expires_at=expiry)
        .returning(col(OrchestratorRun.id))
    )
    return changed.first() is not None


@contextmanager
def session_of_run(
    run_id: UUID, epoch: int, *asking: Order, org_id: UUID
) -> Iterator[tuple[Session, bool, list[Rows]]]:
    """Open a transaction that keeps a run from being taken up until it ends; say whether this epoch still has it.

    Args:
        asking: what is asked once the run is locked; the rows of each are given, too.
    """
    with org_session_with(_LOCKED_EPOCH.of(run_id=run_id), *asking, org_id=org_id) as (session, (found, *answers)):
        yield session, found == [(epoch,)], answers


def revoke_lease(run_id: UUID, *, session: Session) -> None:
    """Take the run away from whichever process has it: its writes are refused from here on."""
    session.execute(
        update(OrchestratorRun)
        .where(col(OrchestratorRun.id) == run_id)
        .values(epoch=OrchestratorRun.epoch + 1, lease_expires_at=None)
    )


def unleased(run_ids: list[UUID], *, session: Session) -> set[UUID]:
    """Return those of the runs that no process holds."""
    return set(session.exec(select(OrchestratorRun.id).where(col(OrchestratorRun.id).in_(run_ids), _free())))


def left_running(*, session: Session) -> list[UUID]:
    """Return the runs that have attempts under way and no process that could carry them out."""
    # Not as a parameter: the partial index holds for this value alone.
    running: ColumnElement[bool] = literal_column("(agent_invocations.status = 'running')")
    statement = select(OrchestratorRun.id).join(AgentInvocation, col(AgentInvocation.run_id) == OrchestratorRun.id)
    return list(session.exec(statement.where(running, _free()).distinct()))


def _free() -> ColumnElement[bool]:
    return or_(col(OrchestratorRun.lease_expires_at).is_(None), col(OrchestratorRun.lease_expires_at) <= func.now())
