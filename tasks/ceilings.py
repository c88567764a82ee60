"""What steps can cost at most, as plans and reviewers are told."""

from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

from maos.engines import EngineType
from maos.plans import Plan
from tasks import claude_cli, deep_agent, gemini_image
from tasks.payloads import Payload
from tasks.rules import rule_book
from tasks.tariffs import tariff_of

# Engines that are not in here cost nothing.
_STEP_CEILINGS: dict[EngineType, Callable[[Payload], Decimal]] = {
    EngineType.CLAUDE_CLI: claude_cli.step_ceiling,
    EngineType.DEEP_AGENT: deep_agent.step_ceiling,
    EngineType.GEMINI_IMAGE: gemini_image.step_ceiling,
}


def step_ceiling(payload: Payload) -> Decimal:
    """Return what a step can cost at most, every try included, in USD."""
    ceiling = _STEP_CEILINGS.get(payload.step.engine)
    return ceiling(payload) if ceiling else Decimal(0)


def planned_ceilings(plan: Plan, *, org_id: UUID, rehearsal: bool) -> dict[str, Decimal]:
    """Return what each step of a plan that costs anything can cost an organisation at most, in USD."""
    if rehearsal:
        return {}
    tariff, prose = tariff_of(org_id), rule_book(org_id).prose
    return {
        **claude_cli.planned_ceilings(plan, tariff, prose),
        **deep_agent.planned_ceilings(plan),
        **gemini_image.planned_ceilings(plan, tariff),
    }
