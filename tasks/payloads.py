"""What a step will really do, computed the same way for the reviewer and for the engine."""

from collections.abc import Mapping
from dataclasses import dataclass

from maos.actions import ActionSpec, JsonObject
from maos.approvals import approval_payload
from maos.canonical import digest_of
from maos.frontier import is_guarded
from maos.plans import PlanStep
from maos.runs import Ledger, Run
from tasks.catalogue import actions, rules_digest


@dataclass(frozen=True)
class Payload:
    """A step with its final parameters and bound inputs, and the digest a reviewer approves."""

    run: Run
    step: PlanStep
    spec: ActionSpec
    parameters: JsonObject
    inputs: Mapping[str, JsonObject]
    content: JsonObject

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical payload."""
        return digest_of(self.content)

    @property
    def guarded(self) -> bool:
        """Whether a person must approve it."""
        return is_guarded(self.run, self.spec)


def payload_of(run: Run, step_id: str, ledger: Ledger) -> Payload:
    """Bind a step's inputs from the ledger and complete its parameters by the action's schema."""
    step = run.plan.step(step_id)
    spec = actions()[step.action]
    parameters = spec.parameters.model_validate(step.parameters).model_dump(mode="json")
    inputs = {name: ledger.finished[source].output for name, source in step.inputs.items()}
    content = approval_payload(
        step,
        parameters=parameters,
        inputs=inputs,
        plan_digest=run.plan.digest,
        # The rules as they are now: a change of risk or autonomy between approval and execution asks again.
        rules_digest=rules_digest(),
    )
    return Payload(run=run, step=step, spec=spec, parameters=parameters, inputs=inputs, content=content)
