"""Which steps of a plan one approval can cover, and what its reviewer reads."""

from collections.abc import Sequence
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from maos.actions import JsonObject
from maos.approval_policy import ApprovalPolicy, deciders_of
from maos.approval_view import RISK_IN_COLOUR, as_code
from maos.learning import Likeness
from maos.risk import RiskLevel


class PlannedAction(BaseModel):
    """What a guarded step of a plan will do, as far as one approval can cover it."""

    model_config = ConfigDict(frozen=True)

    step_id: str
    action: str
    engine_type: str
    title: str
    preview: str
    payload: JsonObject
    digest: str
    risk: RiskLevel
    cost_ceiling_usd: Decimal
    policy: ApprovalPolicy
    caller: str | None = None
    likeness: Likeness


def covered(planned: Sequence[PlannedAction]) -> tuple[PlannedAction, ...]:
    """Return the steps that whoever may decide the riskiest of them may decide: the others ask by themselves."""
    if not planned:
        return ()
    riskiest = max(planned, key=lambda each: each.risk.rank)
    return tuple(each for each in planned if deciders_of(each.policy) == deciders_of(riskiest.policy))


def plan_as_markdown(planned: Sequence[PlannedAction], *, later: Sequence[str]) -> str:
    """Return what a reviewer of a plan reads: a table of the steps, each one's own preview, and what asks later."""
    table = "\n".join(
        f"| {as_code(each.step_id)} | {each.title} | {RISK_IN_COLOUR[each.risk]} "
        f"| {each.cost_ceiling_usd.normalize():f} USD | {as_code(each.digest[:16] + '…')} |"
        for each in planned
    )
    parts = [
        "Approving covers exactly these payloads, each once. A step that would do anything else asks again.",
        f"| step | what happens | risk | cost at most | digest |\n|---|---|---|---|---|\n{table}",
        *(f"### {as_code(each.step_id)}\n\n{each.preview}" for each in planned),
    ]
    if later:
        parts.append(
            f"Not covered, because they wait for nobody or for what is not known yet: {', '.join(map(as_code, later))}."
        )
    return "\n\n".join(parts) + "\n"
