"""What is at hand for one turn of an agent: its step, its team, its journal, and where its files are."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from maos.actions import Actions, JsonObject
from maos.agent_journal import Frame, Standing, standing_of
from maos.agent_limits import Used
from maos.agent_policy import Judgement, judge
from maos.agent_prompt import goal_of
from maos.agent_team import Team
from maos.errors import InputMismatch
from maos.investigation import InvestigationParameters
from maos.policy import Policy
from maos.rules import Rules
from maos.rules_check import tightened_actions
from maos.runs import Run
from tasks.agent_journal import Journal, folder_name
from tasks.agent_tools.files import Scratch
from tasks.catalogue import actions
from tasks.payloads import Payload
from tasks.steps import run_folder


@dataclass(frozen=True)
class Desk:
    """One turn's view of a step."""

    payload: Payload
    parameters: InvestigationParameters
    journal: Journal
    standing: Standing

    @property
    def run(self) -> Run:
        """The run as it stands."""
        return self.payload.run

    @property
    def policy(self) -> Policy:
        """The policy of the organisation."""
        return self.payload.policies.policy

    @property
    def rules(self) -> Rules:
        """The rules of the organisation."""
        return self.payload.book.rules

    @cached_property
    def actions(self) -> Actions:
        """Every action, as the rules have it asked about."""
        return tightened_actions(actions(), self.rules)

    def judged(self, action: str, arguments: JsonObject) -> Judgement:
        """Say what becomes of a call of the active agent."""
        return judge(self.run, self.frame.member, action, self.actions, arguments=arguments, policy=self.policy)

    @property
    def frame(self) -> Frame:
        """The conversation that goes on."""
        return self.standing.active

    @property
    def used(self) -> Used:
        """What the step has used of its limits."""
        return self.journal.used

    @property
    def seconds_left(self) -> float:
        """How long the step may still work."""
        return self.parameters.limits.wall_seconds - self.used.seconds

    @cached_property
    def scratch(self) -> Scratch:
        """The files of the step's agents."""
        return Scratch(self.folder / "files")

    @property
    def folder(self) -> Path:
        """Where the step keeps what is its own."""
        return run_folder(self.run) / folder_name(self.payload.step.id)


def desk_for(payload: Payload, journal: Journal) -> Desk:
    """Return the desk of a step that has gone through these turns.

    Raises:
        InputMismatch: when the turns are not those of this step, or it reads too much.
    """
    parameters = InvestigationParameters.model_validate(payload.parameters)
    goal = goal_of(parameters.goal, payload.inputs, parameters.output_schema)
    try:
        standing = standing_of(journal.turns, Team(payload.step, parameters), goal)
    except ValueError as error:
        raise InputMismatch("transcript", str(error)) from None
    return Desk(payload, parameters, journal, standing)
