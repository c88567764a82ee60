"""What a failure is called, what a client may read of it, and its row where no attempt wrote one."""

from sqlmodel import Session

from maos.errors import (
    BudgetExceeded,
    EffectInDoubt,
    EngineFailure,
    InputMismatch,
    LimitReached,
    MaosError,
    PolicyViolation,
    RuleBroken,
    RulesRefused,
)
from maos.failures import FailureKind, is_retryable
from maos.frontier import has_failed
from maos.runs import Run
from maos.statuses import InvocationStatus
from sql import invocations
from sql.invocations import Verdict
from sql.tables import InvocationVendorDetail
from tasks.leases import run_session
from tasks.outages import outlasting
from tasks.secrecy import for_clients, without_secrets

_KINDS: tuple[tuple[type[MaosError], FailureKind], ...] = (
    (BudgetExceeded, FailureKind.BUDGET),
    (LimitReached, FailureKind.LIMIT_REACHED),
    (InputMismatch, FailureKind.INPUTS),
    (PolicyViolation, FailureKind.REFUSED),
)


def kind_of(error: BaseException | None) -> FailureKind:
    """Return the kind under which a failure is recorded."""
    if isinstance(error, EngineFailure):
        return error.kind
    for kind, name in _KINDS:
        if isinstance(error, kind):
            return name
    return FailureKind.SERVICE_ERROR if isinstance(error, Exception) else FailureKind.INTERRUPTED


def error_for_clients(error: BaseException | None) -> str:
    """Return words for a failure that give nothing away: engines and services by their kind only."""
    if isinstance(error, EngineFailure):
        return f"the engine did not deliver ({error.kind.value.replace('_', ' ')})"
    if isinstance(error, BudgetExceeded):
        return f"it {error.in_words}"
    if isinstance(error, RuleBroken):
        # Where, not what: a fault may name an address, a host or a word that clients must not read.
        places = dict.fromkeys(fault.partition(":")[0] for fault in error.faults if fault.startswith("parameter "))
        return f"the rules refuse it ({', '.join(places)})" if places else "the rules refuse it"
    if isinstance(error, RulesRefused):
        return "its rules cannot be read"
    if isinstance(error, MaosError):
        return str(error)
    return f"the service failed ({type(error).__name__})"


@outlasting
def settle_failure(run: Run, step_id: str, error: BaseException) -> None:
    """See to it that a step whose task has failed is failed in the ledger, for good.

    Most attempts write their own failure. One that never began, for want of budget or of a fitting input, is written
    here, and so is a last word where the step's tries are not used up: else it would be started again for ever.
    """
    if isinstance(error, EffectInDoubt):
        return
    with run_session(run) as session:
        states = invocations.step_states(run.id, run.attempt, session=session)
        failure = states.failed.get(step_id)
        if step_id in states.finished or (failure and has_failed(run.plan.step(step_id), failure)):
            return
        # An agent's tries are counted since its last turn, Prefect's since its task began: it goes on from that turn.
        if failure and step_id in states.turns and is_retryable(kind_of(error)):
            return
        _add_failure(run, step_id, error, session=session)


def _add_failure(run: Run, step_id: str, error: BaseException, *, session: Session) -> None:
    kind = kind_of(error)
    verdict = Verdict(
        InvocationStatus.FAILED,
        for_clients(error_for_clients(error)),
        # Whatever it was, nothing tries it again.
        kind if not is_retryable(kind) else FailureKind.SERVICE_ERROR,
    )
    row = invocations.uncalled(run, step_id, verdict, session=session)
    detail = InvocationVendorDetail(invocation_id=row.id, org_id=row.org_id, error_detail=without_secrets(str(error)))
    invocations.add_vendor_detail(detail, session=session)
