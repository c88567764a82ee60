"""Rows of `effects`: what a step is about to do to the world outside, and what became of it."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import update
from sqlmodel import Session, col, select

from maos.effects import EffectStatus
from sql.tables import EffectRow, utc_now


def find_effect(run_id: UUID, step_id: str, *, session: Session) -> EffectRow | None:
    """Return the effect of a step, if it has begun one."""
    return session.exec(select(EffectRow).where(EffectRow.run_id == run_id, EffectRow.step_id == step_id)).first()


def add_effect(row: EffectRow, *, session: Session) -> None:
    """Note the intention, before anything is done."""
    session.add(row)
    session.flush()


def intend_again(effect_id: UUID, digest: str, *, session: Session) -> None:
    """Note that an effect which did not happen, or may be repeated, is about to be done once more."""
    session.execute(
        update(EffectRow)
        .where(col(EffectRow.id) == effect_id, col(EffectRow.status) != EffectStatus.DONE)
        .values(
            status=EffectStatus.INTENDED,
            digest=digest,
            intentions=EffectRow.intentions + 1,
            intended_at=utc_now(),
            settled_at=None,
        )
    )


def settle_effect(
    run_id: UUID, step_id: str, status: EffectStatus, *, confirmed_by: str | None = None, session: Session
) -> None:
    """Note what became of an effect."""
    session.execute(
        update(EffectRow)
        .where(col(EffectRow.run_id) == run_id, col(EffectRow.step_id) == step_id)
        .values(status=status, settled_at=utc_now(), confirmed_by=confirmed_by)
    )


def effects_of_run(run_id: UUID, *, session: Session) -> Sequence[EffectRow]:
    """Return every effect of a run, in the order they were first intended."""
    return session.exec(
        select(EffectRow).where(EffectRow.run_id == run_id).order_by(col(EffectRow.intended_at), col(EffectRow.id))
    ).all()
