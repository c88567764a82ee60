"""The `deep_agent` engine: an agent that works on a goal turn by turn, each turn a call with a row of its own."""

from decimal import Decimal

from prefect import task

from maos.engines import EngineType
from maos.investigation import AgentLimits, InvestigationParameters
from maos.plans import Plan
from tasks.agent_desk import desk_for
from tasks.agent_journal import read_journal
from tasks.agent_rehearsal import rehearse
from tasks.agent_turns import take_turn
from tasks.options import ENGINE_OPTIONS
from tasks.payloads import Payload
from tasks.secrecy import discreet
from tasks.steps import StepOrder, take_up


@task(tags={EngineType.DEEP_AGENT.tag}, **ENGINE_OPTIONS)
@discreet()
def run_deep_agent(order: StepOrder) -> None:
    """Let an agent work until it is done or waits for what it has called; in a rehearsal, derive its answer by rule."""
    while _go_on(take_up(order)):
        pass


def _go_on(payload: Payload) -> bool:
    # Read anew before every turn: by whom the run is held, what its plan is, whether it is still this process's.
    if payload.run.held_by:
        return False
    desk = desk_for(payload, read_journal(payload))
    if payload.run.rehearsal:
        rehearse(desk)
        return False
    return take_turn(desk)


def step_ceiling(payload: Payload) -> Decimal:
    """Return what the step can cost at most, all its turns and tries together, in USD."""
    if payload.run.rehearsal:
        return Decimal(0)
    return InvestigationParameters.model_validate(payload.parameters).limits.money_usd


def ceilings_of_try() -> dict[str, Decimal]:
    """Return what a step that sets no limit of its own can cost at most, all its tries together, in USD."""
    return {"by default": AgentLimits().money_usd}


def planned_ceilings(plan: Plan) -> dict[str, Decimal]:
    """Return what each agent's step of a plan can cost at most: its limit of money, in USD."""
    return {
        step.id: AgentLimits.model_validate(step.parameters.get("limits", {})).money_usd
        for step in plan.steps
        if step.engine is EngineType.DEEP_AGENT
    }
