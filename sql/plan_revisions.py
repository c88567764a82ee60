"""Rows of `plan_revisions`: every plan that a run has had."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session, col, select

from maos.plans import Plan
from sql.tables import PlanRevision


@dataclass(frozen=True)
class Origin:
    """Where a revision comes from."""

    reason: str
    # The step whose outcome proposed it, if one did.
    step_id: str | None = None


def add_revision(run_id: UUID, plan: Plan, origin: Origin, *, revision: int, org_id: UUID, session: Session) -> None:
    """Keep a plan as the run's next revision."""
    session.add(
        PlanRevision(
            org_id=org_id,
            run_id=run_id,
            revision=revision,
            plan=plan.model_dump(mode="json"),
            plan_digest=plan.digest,
            reason=origin.reason,
            proposed_by=origin.step_id,
        )
    )
    session.flush()


def revisions_of_run(run_id: UUID, *, session: Session) -> Sequence[PlanRevision]:
    """Return the plans of a run, the first one first."""
    return session.exec(
        select(PlanRevision).where(PlanRevision.run_id == run_id).order_by(col(PlanRevision.revision))
    ).all()
