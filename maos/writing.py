"""What the writer engine is asked: the prompt, the shape of its answer, and how an answer is judged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from maos.actions import ActionSpec, JsonObject

ANSWER_TOKENS = 4096
# A faulty answer is written anew once.
CALLS_PER_TRY = 2
# Longer lists of faults are cut, so that the cost of a rewrite has a limit.
LONGEST_FAULTS_BYTES = 8000


class Prompt(BaseModel):
    """A request to the writer: what rules hold, who it is, what it shall do, and the schema its answer must fit."""

    model_config = ConfigDict(frozen=True)

    rules: str = ""
    system: str
    user: str
    answer: type[BaseModel]
    max_output_tokens: int = ANSWER_TOKENS


def spoken_as(persona: str, prompt: Prompt) -> Prompt:
    """Return the prompt as an agent is told it who is somebody."""
    return prompt.model_copy(update={"system": f"{persona}\n\n{prompt.system}"}) if persona else prompt


def governed_by(rules: str, prompt: Prompt) -> Prompt:
    """Return the prompt as it is told under the rules of the house."""
    return prompt.model_copy(update={"rules": rules})


@dataclass(frozen=True)
class WritingAction:
    """An action of the writer engine, as three pure functions over its parameters and inputs."""

    spec: ActionSpec
    prompt: Callable[[BaseModel, Mapping[str, JsonObject]], Prompt]
    # Faults of an answer, in words the writer can act on; empty when it is accepted.
    review: Callable[[JsonObject, Mapping[str, JsonObject]], list[str]]
    # The deterministic answer of a run without a key.
    rehearse: Callable[[BaseModel, Mapping[str, JsonObject]], JsonObject]
    # What it can cost is known before its inputs are: a longer prompt is refused, be it the first or the rewrite. The
    # rules count as well, at most `maos.rules.LONGEST_PROSE_BYTES` of it.
    longest_prompt_bytes: int
    longest_answer_tokens: int = ANSWER_TOKENS
    # The same by what a step's parameters say, where that is less; all that is sent but the persona.
    promised_bytes: Callable[[BaseModel], int] | None = None
    # The answer where its inputs leave nothing to write: no engine is asked, and nothing is spent.
    unasked: Callable[[BaseModel, Mapping[str, JsonObject]], JsonObject | None] | None = None


def rewritten(prompt: Prompt, faults: str) -> Prompt:
    """Return the prompt that asks for the answer anew, and says what was wrong with the last one."""
    told = faults.encode()[:LONGEST_FAULTS_BYTES].decode(errors="ignore")
    return prompt.model_copy(update={"user": f"{prompt.user}\n\nYour last answer was refused:\n{told}\nWrite it anew."})


def longest_form(prompt: Prompt) -> Prompt:
    """Return the longest prompt that may be sent for this one: its rewrite, with as many faults as can be told."""
    return rewritten(prompt, "x" * LONGEST_FAULTS_BYTES)
