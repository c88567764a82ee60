"""What an agent's step has gone through, turn by turn, and where it stands: a pure fold of its transcript."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maos.actions import JsonObject
from maos.agent_limits import repetition
from maos.agent_team import Member, Team
from maos.agent_tools import DELEGATE, OWN_TOOLS, TODOS, Delegate, UpdateTodos
from maos.canonical import digest_of
from maos.errors import LimitReached
from maos.investigation import Todo, TodoState
from maos.references import StepId

# The words in which an agent is reminded, once, of the list that it has to keep, or of the rules.
NO_LIST = "You end without a todo list. Write it with `update_todos`, finish what is open, and give your answer again."
FAULTY_ANSWER = "The rules of the house do not allow your answer. Give it again, whole, without what they name:"
MISFIT = (
    "Your answer is not in the form that was asked for. Give it again, whole, as one JSON object, with this put right:"
)
OPEN_POINTS = "Your todo list has open points. Finish or drop them with `update_todos`, and give your answer again."


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Message(_Frozen):
    """A message as it is sent."""

    role: Literal["user", "assistant"]
    content: tuple[JsonObject, ...]


class ToolCall(_Frozen):
    """A call that an agent made."""

    id: str
    name: str
    arguments: JsonObject

    @property
    def fingerprint(self) -> str:
        """The same for calls of one tool with the same arguments."""
        return digest_of([self.name, self.arguments])


class Turn(_Frozen):
    """One call of the engine that was answered: what was new in it, what came back, what came of that."""

    number: int = Field(description="The attempt of the step.")
    frame: str = Field(default="", description="Whose conversation it is: that of the delegation it answers.")
    agent: str
    sent: tuple[Message, ...] = Field(description="What was sent for the first time.")
    said: tuple[JsonObject, ...]
    seconds: float = Field(description="Time worked since the turn before, the call and tools included.")
    called: Mapping[str, StepId] = Field(default_factory=dict, description="Steps made of calls, by the call's id.")
    refused: Mapping[str, str] = Field(default_factory=dict, description="What people refused, by fingerprint: why.")
    proposed: tuple[JsonObject, ...] = Field(default=(), description="Steps that were proposed before it and taken.")
    faults: tuple[str, ...] = Field(default=(), description="What the rules have against the answer given in it.")
    misfits: tuple[str, ...] = Field(default=(), description="What keeps the answer from having its form.")

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The calls that were made in it."""
        return tuple(
            ToolCall(id=block["id"], name=block["name"], arguments=block["input"])
            for block in self.said
            if block["type"] == "tool_use"
        )

    @property
    def text(self) -> str:
        """The words that were said in it."""
        return "\n".join(block["text"] for block in self.said if block["type"] == "text").strip()


@dataclass
class Frame:
    """The conversation with one agent about one task."""

    id: str
    path: tuple[str, ...]
    member: Member
    messages: list[Message] = field(default_factory=list)
    # What is to be said next where nothing is to be answered: the task, or a reminder.
    prompt: str | None = None
    calls: tuple[ToolCall, ...] = ()
    # The answers of agents that tasks were handed to, by the call's id.
    answers: dict[str, str] = field(default_factory=dict)
    todos: tuple[Todo, ...] = ()
    reminded: bool = False
    # Apart from the other reminder: an agent that forgot its list has not had its answer corrected yet.
    corrected: bool = False
    answer: str | None = None
    parent: "Frame | None" = None
    handed_over_by: str = ""


@dataclass
class Standing:
    """Where a step stands after its turns."""

    team: Team
    lead: Frame
    active: Frame
    newest: Turn | None = None
    seconds: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    names: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    again: Counter[str] = field(default_factory=Counter)
    proposed: list[JsonObject] = field(default_factory=list)
    # Every step that was called, and those whose outcome the active agent waits for, by the call's id.
    called: set[str] = field(default_factory=set)
    waits_for: dict[str, str] = field(default_factory=dict)

    @property
    def circle(self) -> LimitReached | None:
        """In what way the agents go round in a circle, if they do."""
        return repetition(self.counts, self.again, self.names)

    @property
    def done(self) -> bool:
        """Whether the agent of the step has given its answer."""
        return self.lead.answer is not None

    def take(self, turn: Turn) -> None:
        """Take one turn further."""
        frame = self.active
        if frame.id != turn.frame:
            raise ValueError(f"turn {turn.number} is of the frame {turn.frame!r}, not {frame.id!r}")
        self._count(turn)
        frame.messages += [*turn.sent, Message(role="assistant", content=turn.said)]
        frame.prompt, frame.calls, frame.answers = None, turn.calls, {}
        self.waits_for = dict(turn.called)
        self.called |= set(turn.called.values())
        for call in turn.calls:
            frame.todos = _todos_of(call) or frame.todos
        if not turn.calls:
            self._end(frame, turn)
        self._hand_over(turn.number)

    def _count(self, turn: Turn) -> None:
        self.newest = turn
        self.seconds += turn.seconds
        self.refused = {**turn.refused, **self.refused}
        self.proposed += turn.proposed
        for call in turn.calls:
            # Lists, files and notes are everybody's: that each agent looks once is no circle.
            key = f"{turn.frame} {call.fingerprint}" if call.name in OWN_TOOLS else call.fingerprint
            self.counts[key] += 1
            self.again[key] += key in self.refused
            self.names[key] = call.name

    def _end(self, frame: Frame, turn: Turn) -> None:
        reminder = _reminder(frame.todos, turn.faults)
        if reminder and not frame.reminded:
            frame.reminded, frame.prompt = True, reminder
            return
        if turn.misfits and not frame.corrected:
            frame.corrected, frame.prompt = True, "\n".join((MISFIT, *turn.misfits))
            return
        frame.answer = turn.text
        if frame.parent:
            frame.parent.answers[frame.handed_over_by] = turn.text
            self.active = frame.parent

    def _hand_over(self, number: int) -> None:
        """Open a conversation for the next task that is handed to another agent, if there is one."""
        frame = self.active
        for place, call in enumerate(frame.calls):
            task = self.handed_over(call)
            if task is None or call.id in frame.answers:
                continue
            path = (*frame.path, task.agent)
            self.active = Frame(
                id=f"{number}.{place}",
                path=path,
                member=self.team.member(path),
                prompt=task.task,
                parent=frame,
                handed_over_by=call.id,
            )
            return

    def handed_over(self, call: ToolCall) -> Delegate | None:
        """Return the task that a call of the active agent hands over, if it is one that can be."""
        if call.name != DELEGATE:
            return None
        try:
            task = Delegate.model_validate(call.arguments)
        except ValidationError:
            return None
        return None if self.team.refusal(self.active.path, task.agent) else task


def standing_of(turns: Iterable[Turn], team: Team, goal: str) -> Standing:
    """Return where a step stands after these turns.

    Raises:
        ValueError: when they are not the turns of one step in their order.
    """
    lead = Frame(id="", path=(), member=team.member(()), prompt=goal)
    standing = Standing(team, lead, lead)
    for turn in turns:
        standing.take(turn)
    return standing


def _todos_of(call: ToolCall) -> tuple[Todo, ...]:
    if call.name != TODOS:
        return ()
    try:
        return UpdateTodos.model_validate(call.arguments).todos
    except ValidationError:
        return ()


def _reminder(todos: tuple[Todo, ...], faults: tuple[str, ...]) -> str | None:
    if faults:
        return "\n".join((FAULTY_ANSWER, *faults))
    if not todos:
        return NO_LIST
    return OPEN_POINTS if any(todo.state is TodoState.OPEN for todo in todos) else None
