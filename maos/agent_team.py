"""Who works in an agent's step: the agent, its sub-agents, who may hand a task to whom, and what is wrong with that."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from maos.actions import Actions
from maos.agent_tools import OWN_TOOLS
from maos.autonomy import AutonomyLevel, stricter
from maos.engines import EngineType
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


def team_faults(parameters: InvestigationParameters, lead: AutonomyLevel | None, actions: Actions) -> list[str]:
    """Return what is wrong with the tools and the autonomy of an agent and its sub-agents.

    Args:
        lead: the autonomy of the step, where it has its own.
    """
    faults = _tool_faults("tools", parameters.tools, actions)
    for agent in parameters.sub_agents:
        faults += _tool_faults(f"sub-agent {agent.name!r}: tools", agent.tools, actions)
        faults += _autonomy_faults("the step", lead, agent)
        for name in agent.sub_agents:
            if child := parameters.sub_agent(name):
                faults += _autonomy_faults(f"sub-agent {agent.name!r}", agent.autonomy, child)
    return faults


def _tool_faults(place: str, tools: Iterable[str], actions: Actions) -> list[str]:
    if own := [name for name in tools if name in OWN_TOOLS]:
        return [f"{place}: {name!r} is the name of a tool that every agent has" for name in own]
    services = sorted(name for name, spec in actions.items() if spec.engine is EngineType.INTERNAL_SERVICE)
    return [
        f"{place}: {name!r} is no action of a service; allowed: {', '.join(services)}"
        for name in tools
        if name not in services
    ]


def _autonomy_faults(parent: str, level: AutonomyLevel | None, child: SubAgent) -> list[str]:
    if level is None or child.autonomy is None or stricter(level, child.autonomy) is child.autonomy:
        return []
    return [f"sub-agent {child.name!r} is {child.autonomy.value}, more than {parent}, which is {level.value}"]
