"""Who works in an agent's step: the agent, its sub-agents, and who may hand a task to whom."""

from collections.abc import Sequence
from dataclasses import dataclass

from maos.autonomy import AutonomyLevel, stricter
from maos.investigation import DEEPEST_DELEGATION, InvestigationParameters, SubAgent
from maos.plans import PlanStep


@dataclass(frozen=True)
class Member:
    """Somebody at work: what it may use, how autonomous it is at most, and whom it may hand tasks to."""

    name: str
    persona: str
    tools: tuple[str, ...]
    sub_agents: tuple[SubAgent, ...]
    autonomy: AutonomyLevel | None


@dataclass(frozen=True)
class Team:
    """The agent of a step with its sub-agents."""

    step: PlanStep
    parameters: InvestigationParameters

    @property
    def lead(self) -> str:
        """The name of the step's own agent."""
        return self.step.agent.name

    def member(self, path: Sequence[str]) -> Member:
        """Return who stands at the end of a path of sub-agents: never more autonomous than anybody before it."""
        asked, level = self.parameters, self.step.autonomy
        member = Member(self.lead, self.step.agent.persona, asked.tools, asked.sub_agents, level)
        for agent in filter(None, map(asked.sub_agent, path)):
            level = _stricter(level, agent.autonomy)
            known = tuple(each for each in asked.sub_agents if each.name in agent.sub_agents)
            member = Member(agent.name, agent.persona, agent.tools, known, level)
        return member

    def refusal(self, path: Sequence[str], name: str) -> str | None:
        """Say why a task cannot be handed on from the end of a path, or None where it can."""
        known = {agent.name for agent in self.member(path).sub_agents}
        if name not in known:
            return f"there is no agent {name!r} to hand a task to; there are: {', '.join(sorted(known)) or 'none'}"
        if name in path or name == self.lead:
            return f"{name!r} is at work on this already and waits for the answer"
        if len(path) >= DEEPEST_DELEGATION:
            return f"tasks are handed on at most {DEEPEST_DELEGATION} deep"
        return None


def _stricter(one: AutonomyLevel | None, other: AutonomyLevel | None) -> AutonomyLevel | None:
    return stricter(one, other) if one and other else one or other
