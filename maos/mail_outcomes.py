"""What becomes of a message that a run has taken: settled for good, or left to the next run."""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from maos.approvals import Approval
from maos.mail_desk import MailDecision, RoutedMail, act_step
from maos.mail_plan import TAKE
from maos.runs import FailedStep
from maos.statuses import ApprovalStatus

# A message that no run can handle must not be tried for ever.
MOST_CLAIMS = 3


class MailOutcome(StrEnum):
    """What became of a message; the database repeats the set as a CHECK."""

    REPLIED = "replied"
    FORWARDED = "forwarded"
    NOTED = "noted"
    IGNORED = "ignored"
    DUPLICATE = "duplicate"
    UNREADABLE = "unreadable"
    GONE = "gone"
    REJECTED = "rejected"
    UNDECIDED = "undecided"
    IN_DOUBT = "in_doubt"
    GIVEN_UP = "given_up"


_ACTED: Mapping[MailDecision, MailOutcome] = {
    MailDecision.REPLY: MailOutcome.REPLIED,
    MailDecision.FORWARD: MailOutcome.FORWARDED,
    MailDecision.TASK: MailOutcome.NOTED,
    MailDecision.IGNORE: MailOutcome.IGNORED,
}


class Fate(BaseModel):
    """What became of a message, and why; without an outcome the next run takes it, counted where it was tried."""

    model_config = ConfigDict(frozen=True)

    outcome: MailOutcome | None
    reason: str
    tried: bool = True


class RunTrail(BaseModel):
    """What the ledger says of the steps of a run that has ended."""

    model_config = ConfigDict(frozen=True)

    finished: frozenset[str] = frozenset()
    in_doubt: frozenset[str] = frozenset()
    failed: Mapping[str, FailedStep] = {}
    approvals: Mapping[str, Approval] = {}
    routed: Mapping[int, RoutedMail] = {}


def fate_of(number: int, trail: RunTrail, *, claims: int) -> Fate:
    """Return what became of a message, by what its run's ledger says of the steps that were made for it."""
    if TAKE not in trail.finished:
        # The mailbox could not be read: that says nothing against the message.
        return Fate(outcome=None, reason="its run ended before it was read", tried=False)
    routed = trail.routed.get(number)
    step = act_step(routed.decision, number) if routed else None
    if routed and (step is None or step in trail.finished):
        return Fate(outcome=_ACTED[routed.decision], reason=routed.reason)
    if step in trail.in_doubt:
        # Nobody knows whether it left: it must not be sent again without a person's word.
        return Fate(outcome=MailOutcome.IN_DOUBT, reason="whether it was sent is not known")
    asked = trail.approvals.get(step) if step else None
    if asked and asked.status is ApprovalStatus.REJECTED:
        return Fate(outcome=MailOutcome.REJECTED, reason=asked.refusal_in_words)
    if asked and asked.status is ApprovalStatus.EXPIRED:
        return Fate(outcome=MailOutcome.UNDECIDED, reason=asked.refusal_in_words)
    failure = next((each for name, each in trail.failed.items() if name.endswith(f"_m{number:02}")), None)
    reason = failure.summary if failure else "its run ended before it was handled"
    if claims >= MOST_CLAIMS:
        return Fate(outcome=MailOutcome.GIVEN_UP, reason=f"{claims} runs could not handle it: {reason}")
    return Fate(outcome=None, reason=reason)
