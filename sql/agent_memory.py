"""Rows of `agent_shared_memory`: what the agents of a run have noted for each other."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, select

from sql.agent_tables import SharedMemory


def note(memory: SharedMemory, *, session: Session) -> None:
    """Write a note; it replaces what stood under its key, and the same note twice is one."""
    statement = insert(SharedMemory).values(**memory.model_dump())
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["run_id", "key"],
            set_={
                "value": memory.value,
                "written_by": memory.written_by,
                "version": SharedMemory.version + 1,
                "written_at": memory.written_at,
            },
            where=col(SharedMemory.value) != memory.value,
        )
    )


def noted(run_id: UUID, key: str, *, session: Session) -> SharedMemory | None:
    """Return what is noted under a key."""
    return session.exec(select(SharedMemory).where(SharedMemory.run_id == run_id, SharedMemory.key == key)).first()


def keys(run_id: UUID, *, session: Session) -> Sequence[str]:
    """Return the keys of a run's notes."""
    return session.exec(select(SharedMemory.key).where(SharedMemory.run_id == run_id).order_by(SharedMemory.key)).all()


def count(run_id: UUID, *, session: Session) -> int:
    """Return how many notes a run has."""
    return session.exec(select(func.count()).select_from(SharedMemory).where(SharedMemory.run_id == run_id)).one()
