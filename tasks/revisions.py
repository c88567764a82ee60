"""New revisions of a run's plan: steps that an outcome adds, or a plan made anew; every revision is kept."""

from collections.abc import Sequence

from sqlmodel import Session

from maos.actions import JsonObject
from maos.audit import AuditEvent
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.plan_check import check_plan, extended_plan
from maos.plans import MAX_STEPS, Plan, PlanStep
from maos.runs import Run
from sql import audit, plan_revisions, runs
from sql.plan_revisions import Origin
from tasks.catalogue import actions
from tasks.payloads import Payload


def append_steps(payload: Payload, proposed: Sequence[JsonObject], *, session: Session) -> None:
    """Add the steps that an outcome proposes as the next revision, in the transaction that writes the outcome.

    Raises:
        EngineFailure: when the action is none that may add steps.
        PlanRefused: with every fault of the new revision.
    """
    if not payload.spec.proposes_steps:
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, f"action {payload.step.action!r} may not add steps")
    # As it is now: another outcome may have added to it since this step began.
    run = runs.find_run(payload.run.id, session=session) or payload.run
    plan = extended_plan(run.plan, proposed, actions(), payload.book.rules)
    reason = f"step {payload.step.id!r} proposed {len(proposed)} steps"
    revise(run, plan, Origin(reason, payload.step.id), actor=payload.step.agent.name, session=session)


def append_calls(payload: Payload, calls: Sequence[PlanStep], *, actor: str, session: Session) -> None:
    """Add the steps that an agent calls as the next revision, as far as the plan has room for them.

    Raises:
        PlanRefused: with every fault of the new revision.
    """
    run = runs.find_run(payload.run.id, session=session) or payload.run
    fitting = calls[: MAX_STEPS - len(run.plan.steps)]
    if not fitting:
        return
    plan = run.plan.extended(fitting)
    check_plan(plan, actions(), payload.book.rules)
    reason = f"step {payload.step.id!r} called {', '.join(step.action for step in fitting)}"
    revise(run, plan, Origin(reason, payload.step.id), actor=actor, session=session)


def revise(run: Run, plan: Plan, origin: Origin, *, actor: str, session: Session) -> None:
    """Make a plan the run's next revision; the ones before it are kept."""
    revision = len(plan_revisions.revisions_of_run(run.id, session=session)) + 1
    plan_revisions.add_revision(run.id, plan, origin, revision=revision, org_id=run.org_id, session=session)
    runs.set_plan(run.id, plan.model_dump(mode="json"), plan.digest, session=session)
    event = AuditEvent(
        event="plan.revised",
        actor=actor,
        run_id=run.id,
        digest=plan.digest,
        summary=f"revision {revision}, {len(plan.steps)} steps: {origin.reason}",
    )
    audit.append_audit(event, org_id=run.org_id, session=session)
