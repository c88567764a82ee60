"""What an agent's step leaves behind: the answer, the list, the files, the proposals."""

import hashlib

from maos.actions import ArtifactRef, StepOutcome
from maos.agent_answer import value_of
from maos.investigation import Investigation, TodoState
from tasks.agent_desk import Desk
from tasks.agent_journal import folder_name


def outcome_of(desk: Desk, transcript: ArtifactRef) -> StepOutcome:
    """Return the outcome of a step whose agent has given its answer; its newest turn is in `transcript`."""
    files = files_of(desk)
    lead = desk.standing.lead
    turns = desk.used.turns + 1
    answer = lead.answer or ""
    value = value_of(answer) if desk.parameters.output_schema else None
    found = Investigation(answer=answer, value=value, todos=lead.todos, files=files, turns=turns)
    left = sum(todo.state is TodoState.OPEN for todo in lead.todos)
    open_points = f", {left} points left open" if left else ""
    return StepOutcome(
        output=found.model_dump(mode="json"),
        summary=f"Answered after {turns} turns with {len(files)} files{open_points}.",
        artifacts=(transcript, *files),
        proposed_steps=tuple(desk.standing.proposed),
    )


def files_of(desk: Desk) -> tuple[ArtifactRef, ...]:
    """Return the files that the step's agents have written."""
    return tuple(_file(desk, name, desk.scratch.read(name).encode()) for name in desk.scratch.names())


def _file(desk: Desk, name: str, content: bytes) -> ArtifactRef:
    return ArtifactRef(
        name=f"{folder_name(desk.payload.step.id)}/files/{name}",
        # Whatever it is called: nothing that an agent writes is shown as a page of ours.
        media_type="text/plain",
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
    )
