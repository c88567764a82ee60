"""What a call of a tool comes to, in the words that the agent gets: no secret and no text of a stranger's error."""

from dataclasses import dataclass

from pydantic import ValidationError

from maos.actions import JsonObject
from maos.agent_journal import ToolCall
from maos.canonical import canonical_json
from tasks.failures import error_for_clients
from tasks.secrecy import for_clients, without_secrets

LONGEST_RESULT_CHARACTERS = 30_000


@dataclass(frozen=True)
class ToolResult:
    """The answer to a call."""

    text: str
    is_error: bool = False

    def block(self, call: ToolCall) -> JsonObject:
        """Return the result as it is sent."""
        text = without_secrets(self.text)
        if len(text) > LONGEST_RESULT_CHARACTERS:
            left_out = len(text) - LONGEST_RESULT_CHARACTERS
            text = f"{text[:LONGEST_RESULT_CHARACTERS]}\n[{left_out} characters are left out]"
        error = {"is_error": True} if self.is_error else {}
        return {"type": "tool_result", "tool_use_id": call.id, "content": text or "(empty)", **error}


def outcome_in_words(output: JsonObject, summary: str) -> ToolResult:
    """Return the result of an action that was carried out."""
    return ToolResult(f"{summary}\n{canonical_json(output)}")


def failed(error: BaseException) -> ToolResult:
    """Return the result of a call that failed: of errors that are not ours, their kind alone."""
    return ToolResult(for_clients(error_for_clients(error), limit=2000), is_error=True)


def misfit(error: ValidationError) -> ToolResult:
    """Return the result of a call whose arguments have not the form of the tool."""
    faults = (
        f"{'.'.join(map(str, fault['loc'])) or 'arguments'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False)
    )
    return ToolResult("; ".join(faults), is_error=True)
