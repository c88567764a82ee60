"""The effects ledger: an intention is committed before an effect, its fate after it."""

from uuid import UUID

from sqlmodel import Session

from maos.approvals import Approval, ApprovalKind
from maos.canonical import digest_of
from maos.effects import DoubtChoice, EffectStatus, effect_key
from maos.errors import EffectInDoubt, EngineFailure
from maos.failures import FailureKind
from maos.runs import Run
from sql import effects
from sql.tables import EffectRow
from tasks.catalogue import actions
from tasks.payloads import Payload

# What says for certain that nothing happened; anything else leaves the fate of an effect open.
_NOTHING_HAPPENED = frozenset(
    {
        FailureKind.UNREACHABLE,
        FailureKind.RATE_LIMITED,
        FailureKind.OVERLOADED,
        FailureKind.NOT_CONFIGURED,
        FailureKind.NOT_PERMITTED,
        FailureKind.BAD_REQUEST,
    }
)


def key_of(run: Run, step_id: str) -> str:
    """Return the idempotency key of a step's effect."""
    return effect_key(run.id, step_id)


def intend(payload: Payload, approval: Approval | None, *, session: Session) -> bool:
    """Note what is about to be done; return whether a person has said that it was done already.

    Raises:
        EffectInDoubt: when it was begun before, may have happened, and nobody has said what to do about it.
    """
    effect, run, step = payload.spec.effect, payload.run, payload.step
    if effect is None:
        return False
    row = effects.find_effect(run.id, step.id, session=session)
    if row is None:
        effects.add_effect(_row_of(payload), session=session)
        return False
    known = row.status == EffectStatus.NOT_DONE or effect.repeats_safely(payload.parameters)
    if not known:
        if approval is None or approval.kind is not ApprovalKind.IN_DOUBT:
            raise EffectInDoubt(step.id)
        if approval.choice == DoubtChoice.DONE:
            return True
    effects.intend_again(row.id, _digest(payload), session=session)
    return False


def note_done(payload: Payload, *, confirmed_by: str | None, session: Session) -> None:
    """Note that a step's effect happened, as its engine or a person says."""
    if payload.spec.effect:
        run_id, step_id = payload.run.id, payload.step.id
        effects.settle_effect(run_id, step_id, EffectStatus.DONE, confirmed_by=confirmed_by, session=session)


def note_failed(payload: Payload, error: BaseException | None, *, session: Session) -> bool:
    """Note that a step's effect did not happen, or may have; return whether a person must say what to do."""
    effect = payload.spec.effect
    if effect is None:
        return False
    certain = isinstance(error, EngineFailure) and error.kind in _NOTHING_HAPPENED
    status = EffectStatus.NOT_DONE if certain else EffectStatus.IN_DOUBT
    effects.settle_effect(payload.run.id, payload.step.id, status, session=session)
    return not certain and not effect.repeats_safely(payload.parameters)


def note_abandoned(run: Run, step_id: str, *, session: Session) -> bool:
    """Note that the process of a step's effect is gone; return whether a person must say what to do."""
    row = effects.find_effect(run.id, step_id, session=session)
    if row is None or row.status != EffectStatus.INTENDED:
        return False
    effects.settle_effect(run.id, step_id, EffectStatus.IN_DOUBT, session=session)
    return not _repeats(run, step_id)


def _repeats(run: Run, step_id: str) -> bool:
    """Say whether doing a step's effect twice is known to do no harm."""
    step = run.plan.step(step_id)
    spec = actions().get(step.action)
    return spec is not None and spec.effect is not None and spec.effect.repeats_safely(step.parameters)


def carry_over(parent_id: UUID, run: Run, step_id: str, *, session: Session) -> bool:
    """Give a run that retries another its parent's doubt about a step's effect; return whether there is one."""
    row = effects.find_effect(parent_id, step_id, session=session)
    if row is None or row.status not in {EffectStatus.IN_DOUBT, EffectStatus.INTENDED} or _repeats(run, step_id):
        return False
    effects.add_effect(
        EffectRow(
            **row.model_dump(include={"org_id", "step_id", "kind", "digest", "intended_at", "settled_at"}),
            run_id=run.id,
            # The other side knows the effect by the key it was first tried with.
            idempotency_key=f"{row.idempotency_key}+{run.id}",
            status=EffectStatus.IN_DOUBT,
        ),
        session=session,
    )
    return True


def _row_of(payload: Payload) -> EffectRow:
    effect = payload.spec.effect
    return EffectRow(
        org_id=payload.run.org_id,
        run_id=payload.run.id,
        step_id=payload.step.id,
        kind=effect.kind if effect else "",
        idempotency_key=key_of(payload.run, payload.step.id),
        digest=_digest(payload),
    )


def _digest(payload: Payload) -> str:
    return digest_of(payload.parameters)
