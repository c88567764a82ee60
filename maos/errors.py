"""The one tree of maos errors.

MaosError
├── BadInput               a value somebody gave: field, value, allowed (exit code 2)
├── PolicyViolation        a rule says no; never retried
│   ├── PlanRefused        every fault of a plan at once
│   ├── RulesRefused       a document of rules cannot be read or accepted; every fault at once
│   ├── PolicyRefused      a document of a policy cannot be read or accepted; every fault at once
│   ├── WorkflowRefused    a document of a workflow cannot be read or accepted; every fault at once
│   ├── QueryRefused       a query asks for more than it may; every fault at once
│   ├── RuleBroken         a step with its final parameters breaks rules
│   └── UnpricedModel      no price is known, so the use is refused
├── DecisionRefused        an approval could not be decided as asked
├── IdentityRefused        somebody is not shown to be who they say
├── ApprovalInvalid        what was approved is not what would run; opens a new gate
├── BudgetExceeded         a reservation would pass a limit
├── LimitReached           an agent has used up what its step allows
├── InputMismatch          what a step reads does not fit what it needs
├── EffectInDoubt          whether an effect happened is not known; a person is asked
├── OrganizationSuspended  nothing may start for the organisation now; the step waits
├── LeaseLost              another process executes the run; this one must stop
├── ChainBroken            (maos/audit.py) an audit chain, or what was noted of it, does not hold
├── RunFailed              a run ended without its result
├── EngineFailure          an engine did not deliver; says whether to retry
└── StackError             a part of the embedded stack does not start or answer
"""

from collections.abc import Sequence
from typing import ClassVar

from maos.failures import FailureKind, is_retryable
from maos.usage import Receipt


class MaosError(Exception):
    """Root of every error that maos raises on purpose."""


class BadInput(MaosError):
    """A value from outside is refused before anything is written or spent."""

    def __init__(self, field: str, value: str, allowed: str) -> None:
        super().__init__(field, value, allowed)
        self.field = field
        self.value = value
        self.allowed = allowed

    def __str__(self) -> str:
        return f"{self.field}: {self.value!r} is not accepted; allowed: {self.allowed}"


class PolicyViolation(MaosError):
    """A rule forbids what was asked."""


class _EveryFault(PolicyViolation):
    """Something that was written breaks rules; the class says what."""

    refused: ClassVar[str]

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(tuple(faults))
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return f"{self.refused} is refused: " + "; ".join(self.faults)


class PlanRefused(_EveryFault):
    """A plan breaks rules; every fault is named."""

    refused = "the plan"


class RulesRefused(PolicyViolation):
    """A document of rules cannot be read or accepted; every fault is named."""

    def __init__(self, source: str, faults: Sequence[str]) -> None:
        super().__init__(source, tuple(faults))
        self.source = source
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return f"the rules in {self.source} are refused: " + "; ".join(self.faults)


class PolicyRefused(_EveryFault):
    """A document of a policy cannot be read or accepted; every fault is named."""

    refused = "the policy"


class WorkflowRefused(_EveryFault):
    """A document of a workflow cannot be read or accepted; every fault is named."""

    refused = "the workflow"


class QueryRefused(_EveryFault):
    """A query is not one SELECT over its tables; every fault is named."""

    refused = "the query"


class RuleBroken(PolicyViolation):
    """A step with its final parameters breaks rules; every fault is named."""

    def __init__(self, step_id: str, faults: Sequence[str]) -> None:
        super().__init__(step_id, tuple(faults))
        self.step_id = step_id
        self.faults = tuple(faults)

    def __str__(self) -> str:
        return f"step {self.step_id!r} breaks the rules: " + "; ".join(self.faults)


class UnpricedModel(PolicyViolation):
    """No price is known for a model: it is refused, never free."""

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.model = model

    def __str__(self) -> str:
        return f"no price is known for model {self.model!r}"


class DecisionRefused(MaosError):
    """An approval cannot be decided as asked; the reason says which rule or who was first."""

    def __init__(self, approval: str, reason: str) -> None:
        super().__init__(approval, reason)
        self.approval = approval
        self.reason = reason

    def __str__(self) -> str:
        return f"approval {self.approval}: {self.reason}"


class IdentityRefused(MaosError):
    """Somebody is not shown to be who they say; the reason says which rule refuses."""

    def __init__(self, person: str, reason: str) -> None:
        super().__init__(person, reason)
        self.person = person
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.person}: {self.reason}"


class ApprovalInvalid(MaosError):
    """An approval does not cover what would run now."""

    def __init__(self, step_id: str, reason: str) -> None:
        super().__init__(step_id, reason)
        self.step_id = step_id
        self.reason = reason

    def __str__(self) -> str:
        return f"step {self.step_id!r}: {self.reason}"


class BudgetExceeded(MaosError):
    """Reserving the ceiling of a call would pass a limit."""

    def __init__(self, step_id: str, scope: str, needed: str, left: str, hold: str) -> None:
        super().__init__(step_id, scope, needed, left, hold)
        self.step_id = step_id
        self.scope = scope
        self.needed = needed
        self.left = left
        # The period of the budget, as JSON of what the call would have set aside there.
        self.hold = hold

    @property
    def in_words(self) -> str:
        """What was needed, and what there is."""
        return f"could cost {self.needed}; the {self.scope} budget has {self.left} left"

    def __str__(self) -> str:
        return f"step {self.step_id!r} {self.in_words}"


class LimitReached(MaosError):
    """An agent has used up one of the limits of its step, or would with its next call."""

    def __init__(self, limit: str, allowed: str, reason: str) -> None:
        super().__init__(limit, allowed, reason)
        self.limit = limit
        self.allowed = allowed
        self.reason = reason

    def __str__(self) -> str:
        return f"the limit of {self.limit} is reached ({self.allowed}): {self.reason}"


class InputMismatch(MaosError):
    """What a step reads from earlier outcomes does not fit what its action needs."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"input {self.name!r}: {self.reason}"


class EffectInDoubt(MaosError):
    """An effect was begun and its end is not known: it may have happened."""

    def __init__(self, step_id: str) -> None:
        super().__init__(step_id)
        self.step_id = step_id

    def __str__(self) -> str:
        return f"step {self.step_id!r}: whether its effect happened is not known"


class OrganizationSuspended(MaosError):
    """The organisation was suspended before a step, its argument, began: no verdict on the step."""

    def __str__(self) -> str:
        return f"step {self.args[0]!r} waits: its organisation is suspended"


class LeaseLost(MaosError):
    """Another process has taken the run over, or the run has its end: nothing more may be written."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id

    def __str__(self) -> str:
        return f"run {self.run_id} is no longer this process's"


class RunFailed(MaosError):
    """A run ended without its result; the reason is safe for clients."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class EngineFailure(MaosError):
    """An engine did not deliver.

    The detail is for operators and may name the vendor; the kind is safe for clients. The receipt says what the
    call consumed although it failed, as far as that is known.
    """

    def __init__(
        self, kind: FailureKind, detail: str, retry_after: float | None = None, receipt: Receipt | None = None
    ) -> None:
        super().__init__(kind, detail, retry_after, receipt)
        self.kind = kind
        self.detail = detail
        self.retry_after = retry_after
        self.receipt = receipt

    @property
    def retryable(self) -> bool:
        """Whether another attempt may succeed."""
        return is_retryable(self.kind)

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.detail}"


class StackError(MaosError):
    """A part of the embedded stack does not start or answer."""

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(part, reason)
        self.part = part
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.part}: {self.reason}"
