"""Rows of `orchestrator_runs`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal, update
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import Select

from maos.actions import JsonObject
from maos.organizations import SUSPENSION, OrganizationStatus
from maos.plan_versions import load_plan
from maos.runs import GateKind, Run
from maos.statuses import RunStatus
from sql.id_ranges import ids_like
from sql.pages import on_page, with_slugs
from sql.policy_tables import OrganizationPolicy
from sql.tables import OrchestratorRun, Organization, utc_now


def find_run(run_id: UUID, *, session: Session) -> Run | None:
    """Return a run as its flow needs it."""
    found = session.exec(_with_organization().where(OrchestratorRun.id == run_id)).first()
    return _run_of(*found) if found else None


def initiators_before(run_id: UUID, *, session: Session) -> list[str]:
    """Return who has started the runs that a run takes up: nobody approves what is done on their behalf."""
    found: set[str] = set()
    above = _parent_of(run_id, session=session)
    while above:
        row = session.exec(select(OrchestratorRun).where(OrchestratorRun.id == above)).one()
        found.add(row.initiator_id)
        above = row.parent_run_id
    return sorted(found)


def _parent_of(run_id: UUID, *, session: Session) -> UUID | None:
    return session.exec(select(OrchestratorRun.parent_run_id).where(OrchestratorRun.id == run_id)).first()


def open_runs(*, session: Session) -> list[Run]:
    """Return every run that has no end, the oldest first."""
    statement = (
        _with_organization()
        .where(col(OrchestratorRun.completed_at).is_(None))
        .order_by(col(OrchestratorRun.started_at))
    )
    return [_run_of(*found) for found in session.exec(statement)]


def count_open(org_id: UUID, *, session: Session) -> int:
    """Return how many runs of an organisation have no end."""
    is_open = col(OrchestratorRun.completed_at).is_(None)
    return session.exec(select(func.count()).where(OrchestratorRun.org_id == org_id, is_open)).one()


def _with_organization() -> Select[OrchestratorRun, Organization, bool]:
    """Return runs with their organisation, and whether it exempts what only reads: as its policy says."""
    said = (
        select(OrganizationPolicy.read_only_exempt)
        .where(OrganizationPolicy.org_id == OrchestratorRun.org_id)
        .order_by(col(OrganizationPolicy.version).desc())
        .limit(1)
        .scalar_subquery()
    )
    exempt = func.coalesce(said, col(Organization.read_only_exempt))
    return select(OrchestratorRun, Organization, exempt).join(
        Organization, col(Organization.id) == OrchestratorRun.org_id
    )


def _run_of(row: OrchestratorRun, org: Organization, read_only_exempt: bool) -> Run:
    others = {
        "org": org.slug,
        "read_only_exempt": read_only_exempt,
        "initiator": row.initiator_id,
        # Read, not written: when the suspension ends, the holds of people are still there.
        "held_by": row.held_by or (SUSPENSION if org.status != OrganizationStatus.ACTIVE else None),
        "request": row.prompt_inputs,
        "plan": load_plan(row.plan),
    }
    return Run(**others, **row.model_dump(include=Run.model_fields.keys() - others.keys()))


def wake(run_id: UUID, *, session: Session) -> None:
    """Note that a run goes on, and how long it has waited if it did."""
    _update(run_id, session=session, status=RunStatus.EXECUTING, waited_seconds=_waited_until_now(), paused_at=None)


def pause(run_id: UUID, gate_kind: GateKind, *, shown: JsonObject | None, session: Session) -> None:
    """Note that a run waits, since when, and what its form shows.

    Args:
        shown: digest of each payload, by approval; empty: what was noted before stays.
    """
    # A process that comes by again to read the answer finds it waiting already.
    since = func.coalesce(OrchestratorRun.paused_at, utc_now())
    noted = {} if shown is None else {"gate_shown": shown}
    _update(run_id, session=session, status=RunStatus.PAUSED, gate_kind=gate_kind, paused_at=since, **noted)


def _waited_until_now() -> ColumnElement[float]:
    """Return what a run has waited in all: what it waits since its pause, or its end, is added."""
    since = func.coalesce(OrchestratorRun.paused_at, OrchestratorRun.completed_at, utc_now())
    more = func.greatest(0, func.extract("epoch", literal(utc_now()) - since))
    return col(OrchestratorRun.waited_seconds) + more


def reopen(run_id: UUID, *, session: Session) -> None:
    """Count a new attempt at a run that has its end.

    Its gates ask under a new key: an answer to the last attempt's form must not decide what this one will show.
    """
    _update(
        run_id,
        session=session,
        status=RunStatus.EXECUTING,
        attempt=OrchestratorRun.attempt + 1,
        gate_round=OrchestratorRun.gate_round + 1,
        gate_refusal=None,
        recoveries=0,
        error_summary=None,
        waited_seconds=_waited_until_now(),
        paused_at=None,
        completed_at=None,
    )


def next_gate_round(run_id: UUID, refusal: str | None, *, session: Session) -> None:
    """Note that the answer of the present gate was read, and why it was refused if it was."""
    _update(run_id, session=session, gate_round=OrchestratorRun.gate_round + 1, gate_refusal=refusal)


def set_plan(run_id: UUID, plan: JsonObject, digest: str, *, session: Session) -> None:
    """Make a new revision the run's plan."""
    _update(run_id, session=session, plan=plan, plan_digest=digest)


def set_pins(run_id: UUID, pins: JsonObject, rules_digest: str, code_version: str, *, session: Session) -> None:
    """Note with what the run goes on from here."""
    _update(run_id, session=session, pins=pins, rules_digest=rules_digest, code_version=code_version)


def set_hold(run_id: UUID, held_by: str | None, *, session: Session) -> bool:
    """Hold a run before its next step, or let it go on; return False when nothing changes."""
    is_other = col(OrchestratorRun.held_by).is_(None) if held_by else col(OrchestratorRun.held_by).is_not(None)
    changed = session.execute(
        update(OrchestratorRun)
        .where(col(OrchestratorRun.id) == run_id, is_other, col(OrchestratorRun.completed_at).is_(None))
        .values(held_by=held_by, held_at=utc_now() if held_by else None)
        .returning(col(OrchestratorRun.id))
    )
    return changed.first() is not None


def count_recovery(run_id: UUID, *, at_most: int, session: Session) -> int | None:
    """Count a recovery of a run without an end; return which it is, or None when there have been enough."""
    counted = session.execute(
        update(OrchestratorRun)
        .where(
            col(OrchestratorRun.id) == run_id,
            col(OrchestratorRun.completed_at).is_(None),
            col(OrchestratorRun.recoveries) < at_most,
        )
        # Whoever recovers it knows that its process is gone: the next one need not wait for the lease.
        .values(recoveries=OrchestratorRun.recoveries + 1, lease_expires_at=None)
        .returning(col(OrchestratorRun.recoveries))
    )
    return counted.scalar()


def _update(run_id: UUID, *, session: Session, **values: object) -> None:
    session.execute(update(OrchestratorRun).where(col(OrchestratorRun.id) == run_id).values(**values))


def end_run(
    run_id: UUID, status: RunStatus, *, result: JsonObject | None, error_summary: str | None, session: Session
) -> bool:
    """Give a run its end; return False when it already has one."""
    changed = session.execute(
        update(OrchestratorRun)
        .where(col(OrchestratorRun.id) == run_id, col(OrchestratorRun.completed_at).is_(None))
        .values(
            status=status,
            result=result,
            error_summary=error_summary,
            completed_at=utc_now(),
            held_by=None,
            held_at=None,
            lease_expires_at=None,
        )
        .returning(col(OrchestratorRun.id))
    )
    return changed.first() is not None


@dataclass(frozen=True)
class RunFilter:
    """Which runs a listing shows, newest first; `before` is the last row of the page before."""

    status: RunStatus | None = None
    entrypoint: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: tuple[datetime, UUID] | None = None
    limit: int = 20


def list_runs(which: RunFilter, *, session: Session) -> Sequence[tuple[OrchestratorRun, str]]:
    """Return runs that the session may see with the slug of their organisation, newest first."""
    statement = (
        select(OrchestratorRun)
        .order_by(col(OrchestratorRun.started_at).desc(), col(OrchestratorRun.id).desc())
        .limit(which.limit)
    )
    if which.status:
        statement = statement.where(OrchestratorRun.status == which.status)
    if which.entrypoint:
        statement = statement.where(OrchestratorRun.entrypoint == which.entrypoint)
    return with_slugs(session.exec(statement.where(*on_page(which, OrchestratorRun))).all(), session=session)


def run_ids_like(prefix: str, *, session: Session) -> Sequence[UUID]:
    """Return at most two ids that begin with the prefix: enough to say whether it is unique."""
    return ids_like(OrchestratorRun.id, prefix, session=session)


def run_row(run_id: UUID, *, session: Session) -> OrchestratorRun:
    """Return the row of a run that exists."""
    return session.exec(select(OrchestratorRun).where(OrchestratorRun.id == run_id)).one()
