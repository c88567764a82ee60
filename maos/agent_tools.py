"""The tools that every agent has besides actions: their names, what they take, and how they are described to it."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from maos.actions import ActionSpec, JsonObject
from maos.investigation import AgentName, Todo
from maos.plans import PlanStep
from maos.references import Reference

MemoryKey = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,99}$")]
FilePath = Annotated[str, StringConstraints(min_length=1, max_length=200)]
LONGEST_FILE_CHARACTERS = 200_000


class Tool(BaseModel):
    """A tool as the engine is told of it."""

    model_config = ConfigDict(frozen=True)

    name: str
    description: str
    input_schema: JsonObject


class _Arguments(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UpdateTodos(_Arguments):
    """Replace your todo list. Keep it: write it first, and note each point as done or dropped when it is."""

    todos: tuple[Todo, ...] = Field(min_length=1, max_length=50)


class ListFiles(_Arguments):
    """List the files that were written in this piece of work."""


class ReadFile(_Arguments):
    """Read a file that was written in this piece of work."""

    path: FilePath


class WriteFile(_Arguments):
    """Write a text file, or replace it. Paths are relative, such as `notes/first.md`."""

    path: FilePath
    content: str = Field(max_length=LONGEST_FILE_CHARACTERS)


class EditFile(_Arguments):
    """Replace a passage of a file that stands in it exactly once."""

    path: FilePath
    old: str = Field(min_length=1, max_length=LONGEST_FILE_CHARACTERS)
    new: str = Field(max_length=LONGEST_FILE_CHARACTERS)


class Remember(_Arguments):
    """Note something under a key where every agent of this run can recall it; a later note replaces it."""

    key: MemoryKey
    value: str = Field(min_length=1, max_length=20_000)


class Recall(_Arguments):
    """Recall what is noted under a key; without a key, list the keys."""

    key: MemoryKey | None = None


class ProposeSteps(_Arguments):
    """Propose further steps of the plan; they run after your own step. Each may only use actions that you have."""

    # Objects: each is read as a step by itself, so that all faults are named.
    steps: tuple[JsonObject, ...] = Field(min_length=1, max_length=20)


class Delegate(_Arguments):
    """Hand a task to another agent and get its answer. It knows nothing but the task: say all that it needs."""

    agent: AgentName
    task: str = Field(min_length=1, max_length=20_000)


TODOS, DELEGATE, PROPOSE = "update_todos", "delegate", "propose_steps"

OWN_TOOLS: dict[str, type[_Arguments]] = {
    TODOS: UpdateTodos,
    "list_files": ListFiles,
    "read_file": ReadFile,
    "write_file": WriteFile,
    "edit_file": EditFile,
    "remember": Remember,
    "recall": Recall,
    PROPOSE: ProposeSteps,
    DELEGATE: Delegate,
}


class ServiceArguments(_Arguments):
    """What a call of an action gives that needs outcomes of other steps."""

    parameters: JsonObject = Field(default_factory=dict)
    inputs: dict[str, Reference] = Field(default_factory=dict)


def own_tool(name: str) -> Tool:
    """Return one of the tools that every agent has."""
    arguments = OWN_TOOLS[name]
    schema = arguments.model_json_schema()
    if name == PROPOSE:
        schema["properties"]["steps"]["items"] = _step_schema(schema)
    description = schema.pop("description", "")
    return Tool(name=name, description=description, input_schema=schema)


def service_tool(spec: ActionSpec) -> Tool:
    """Return an action as a tool: what it takes is what its parameters are, and outcomes where it needs some."""
    schema = spec.parameters.model_json_schema()
    if spec.inputs:
        schema = _with_inputs(schema, spec)
    return Tool(name=spec.name, description=spec.title, input_schema=schema)


def arguments_of(spec: ActionSpec, given: JsonObject) -> ServiceArguments:
    """Return what a call of an action gives.

    Raises:
        ValidationError: when it gives neither parameters nor inputs where both are asked for.
    """
    return ServiceArguments.model_validate(given) if spec.inputs else ServiceArguments(parameters=given)


def _with_inputs(parameters: JsonObject, spec: ActionSpec) -> JsonObject:
    definitions = parameters.pop("$defs", None)
    reference = {
        "type": "string",
        "description": "An input of yours by its name, or the id of a step that you have called; `name.place` goes in.",
    }
    properties: dict[str, Any] = {
        "parameters": parameters,
        "inputs": {
            "type": "object",
            "properties": dict.fromkeys(sorted(spec.inputs), reference),
            "required": sorted(spec.inputs),
        },
    }
    schema: JsonObject = {"type": "object", "properties": properties, "required": ["parameters", "inputs"]}
    return schema | ({"$defs": definitions} if definitions else {})


def _step_schema(outer: JsonObject) -> JsonObject:
    schema = PlanStep.model_json_schema()
    definitions = schema.pop("$defs")
    for name in ("called_by", "autonomy"):
        schema["properties"].pop(name)
    for name in ("CalledBy", "AutonomyLevel"):
        definitions.pop(name, None)
    outer["$defs"] = outer.get("$defs", {}) | definitions
    return schema
