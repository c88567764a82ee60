"""The question of a run that is out of budget: what is spent, what the run takes to its end, how much to add."""

import math
from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import JsonObject
from maos.approval_policy import ApprovalPolicy, DecidingRole, Group, Stage
from maos.approval_view import as_code
from maos.approvals import Approval
from maos.budgets import EVER, Amounts, BudgetScope, BudgetUnit, Hold

# The step of an approval that asks for a top-up: no step can be called so.
OUT_OF_BUDGET = "(budget)"
# What a proposal is rounded up to.
_ROUND: dict[BudgetUnit, Decimal] = {
    BudgetUnit.USD: Decimal("0.01"),
    BudgetUnit.TOKENS: Decimal(1000),
    BudgetUnit.CALLS: Decimal(1),
}


class RemainingStep(BaseModel):
    """A step that has calls to pay for before the run is done."""

    model_config = ConfigDict(frozen=True)

    step_id: str
    action: str
    so_far: Decimal = Field(description="What it has taken in this run.")
    at_most: Decimal = Field(description="What counts where nothing is known of its action.")


class Forecast(BaseModel):
    """What is still to be taken until the run is done, in the unit of the budget."""

    model_config = ConfigDict(frozen=True)

    p50: Decimal
    p95: Decimal
    steps: int
    past_steps: int = Field(description="How many past steps of the same actions it is from.")
    unknown: tuple[str, ...] = Field(description="Steps of whose action nothing is known; they count at their most.")


class Shortage(BaseModel):
    """A call that did not fit, and the budget that it did not fit into."""

    model_config = ConfigDict(frozen=True)

    step_id: str
    hold: Hold
    scope: BudgetScope
    scope_id: str
    period: str
    limit: Decimal
    spent: Decimal
    reserved: Decimal
    left: Decimal

    @property
    def in_words(self) -> str:
        """Which budget it is."""
        whose = "" if self.scope in {BudgetScope.ORG, BudgetScope.RUN} else f" {self.scope_id}"
        when = "" if self.hold.period == EVER else f" of the {self.period} from {self.hold.period:%Y-%m-%d}"
        return f"the budget of the {_SCOPES[self.scope]}{whose}{when}"


_SCOPES = {
    BudgetScope.ORG: "organisation",
    BudgetScope.TEAM: "team",
    BudgetScope.AGENT: "agent",
    BudgetScope.RUN: "run",
}


def forecast_of(
    remaining: Sequence[RemainingStep], history: Mapping[str, Sequence[Amounts]], unit: BudgetUnit
) -> Forecast:
    """Forecast what the remaining steps take, from what past steps of their actions took.

    The p95 of several steps is the sum of theirs: rarely does every step of a run take that much, so that the run stays
    below it more often than in 95 of 100 cases.
    """
    low, high, past, unknown = Decimal(0), Decimal(0), 0, []
    for step in remaining:
        took = sorted(each.of(unit) for each in history.get(step.action, ()))
        if not took:
            unknown.append(step.step_id)
            took = [step.at_most]
        low += max(Decimal(0), _percentile(took, 50) - step.so_far)
        high += max(Decimal(0), _percentile(took, 95) - step.so_far)
    for action in {step.action for step in remaining}:
        past += len(history.get(action, ()))
    return Forecast(p50=low, p95=high, steps=len(remaining), past_steps=past, unknown=tuple(unknown))


def _percentile(ordered: Sequence[Decimal], percent: int) -> Decimal:
    """Return the smallest value that so many of a hundred do not pass: one that did occur."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def proposed_top_up(shortage: Shortage, others: Forecast) -> Decimal:
    """Return by how much to top up: this call fits, and after it the p95 of the other steps.

    Args:
        others: the forecast of what remains besides the call.
    """
    missing = shortage.hold.amount + others.p95 - shortage.left
    step = _ROUND[shortage.hold.unit]
    return (missing / step).to_integral_value(ROUND_CEILING) * step


def who_tops_up(scope: BudgetScope, asked: ApprovalPolicy) -> ApprovalPolicy:
    """Return under which policy a top-up is asked: budgets that others share are the owners', in one stage.

    Args:
        asked: the organisation's policy for approvals of this risk, which holds for all the rest.
    """
    # Whoever started a run must not pay for it from what others share, or past a cap that others have seen.
    by_another: dict[str, object] = {"self_approval": False}
    if scope is BudgetScope.RUN:
        return asked.model_copy(update=by_another)
    owners = frozenset({DecidingRole.OWNER})
    stages = (Stage(name="top-up", groups=(Group(roles=owners),)),)
    return asked.model_copy(update={**by_another, "roles": owners, "stages": stages, "rejections_needed": 1})


def top_up_payload(shortage: Shortage, amount: Decimal, *, run_attempt: int) -> JsonObject:
    """Return what an approval of a top-up covers."""
    return {
        "budget": shortage.hold.budget,
        "period": shortage.hold.period.isoformat(),
        "unit": shortage.hold.unit.value,
        "top_up": f"{amount:f}",
        "next_call": f"{shortage.hold.amount:f}",
        "step": shortage.step_id,
        "run_attempt": run_attempt,
    }


def budget_asked_about(question: Approval) -> UUID:
    """Return the id of the budget that a question is about."""
    return UUID(question.payload["budget"])


def that_fit(asked: Sequence[Approval], room: Mapping[UUID, Decimal]) -> list[Approval]:
    """Return the questions whose next calls fit by now: so many as fit beside each other.

    Args:
        asked: those that may go first, first.
        room: what is left of each budget.
    """
    left, fit = dict(room), []
    for question in asked:
        budget, most = budget_asked_about(question), question.payload.get("next_call")
        # One that does not say is left to people: nothing that it holds may stop housekeeping for all.
        if most is not None and budget in left and Decimal(most) <= left[budget]:
            left[budget] -= Decimal(most)
            fit.append(question)
    return fit


def top_up_as_markdown(shortage: Shortage, forecast: Forecast, amount: Decimal) -> str:
    """Return what a person reads who is asked for a top-up."""
    unit = shortage.hold.unit
    facts = {
        "limit": unit.in_words(shortage.limit),
        "spent": unit.in_words(shortage.spent),
        "set aside for calls under way": unit.in_words(shortage.reserved),
        "left": unit.in_words(shortage.left),
        f"the next call, of step {as_code(shortage.step_id)}, at most": unit.in_words(shortage.hold.amount),
        "to finish the run, p50": unit.in_words(forecast.p50),
        "to finish the run, p95": unit.in_words(forecast.p95),
        "**top up by**": f"**{unit.in_words(amount)}**",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    ahead, past = _steps(forecast.steps), _steps(forecast.past_steps, "past ")
    known = f"The forecast is for {ahead}, from {past} of the same actions."
    unknown = ", ".join(map(as_code, forecast.unknown))
    guessed = f" Nothing is known of {unknown}: counted at the most it may take." if unknown else ""
    return (
        f"A call does not fit into {shortage.in_words}. What is done stays. Approving raises the limit by the amount "
        "below, once, and the run goes on; rejecting fails the step. Should the call fit before that, because somebody "
        "raises the budget or others give back, the run goes on by itself.\n\n"
        f"| | |\n|---|---|\n{table}\n\n{known}{guessed}"
    )


def _steps(count: int, kind: str = "") -> str:
    return f"{count} {kind}step" if count == 1 else f"{count} {kind}steps"
