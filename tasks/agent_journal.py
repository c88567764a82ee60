"""The transcript of an agent's step: a file for each turn, which the turn's row names with its checksum."""

from dataclasses import dataclass

from pydantic import ValidationError

from maos.actions import ArtifactRef
from maos.agent_journal import Turn
from maos.agent_limits import Used
from maos.errors import EngineFailure, InputMismatch
from maos.statuses import InvocationStatus
from sql import invocations
from sql.session import org_session
from sql.tables import AgentInvocation
from tasks.files import read_file, write_file
from tasks.outages import outlasting
from tasks.payloads import Payload
from tasks.steps import run_folder

_ANSWERED = frozenset({InvocationStatus.PENDING, InvocationStatus.COMPLETED})


@dataclass(frozen=True)
class Journal:
    """What a step has gone through, and what that has used."""

    turns: tuple[Turn, ...]
    used: Used


def folder_name(step_id: str) -> str:
    """Return where a step keeps its files, in the run's folder."""
    return f"agents/{step_id}"


def read_journal(payload: Payload) -> Journal:
    """Return the turns that a step has behind it.

    Raises:
        InputMismatch: when a part of the transcript is gone or is not what was written.
    """
    rows = _rows(payload)
    turns = tuple(_turn_of(payload, row) for row in rows if row.status == InvocationStatus.PENDING)
    # A call that was cut short took its time as well; that of a turn stands in its file.
    cut = sum((row.completed_at - row.started_at).total_seconds() for row in rows if _is_cut(row) and row.completed_at)
    used = Used(
        turns=sum(row.status in _ANSWERED for row in rows),
        tokens=sum(row.tokens for row in rows),
        money_usd=sum((row.cost_usd for row in rows), start=Used().money_usd),
        seconds=sum(turn.seconds for turn in turns) + cut,
    )
    return Journal(turns, used)


@outlasting
def _rows(payload: Payload) -> list[AgentInvocation]:
    with org_session(payload.run.org_id) as session:
        return list(invocations.attempts_of_step(payload.run.id, payload.step.id, session=session))


def write_turn(payload: Payload, turn: Turn) -> ArtifactRef:
    """Keep a turn; no other attempt has this file."""
    name = f"{folder_name(payload.step.id)}/turn-{turn.number:04}.json"
    return write_file(run_folder(payload.run), name, turn.model_dump_json(indent=1).encode(), "application/json")


def _turn_of(payload: Payload, row: AgentInvocation) -> Turn:
    try:
        content = read_file(run_folder(payload.run), ArtifactRef.model_validate(row.artifacts[0]))
        return Turn.model_validate_json(content)
    except EngineFailure as failure:
        raise InputMismatch("transcript", failure.detail) from None
    except (IndexError, ValidationError):
        raise InputMismatch("transcript", f"that of attempt {row.attempt} cannot be read") from None


def _is_cut(row: AgentInvocation) -> bool:
    return row.status == InvocationStatus.FAILED
