"""What the writer engine is asked: the prompt, the shape of its answer, and how an answer is judged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from maos.actions import ActionSpec, JsonObject


class Prompt(BaseModel):
    """A request to the writer: who it is, what it shall do, and the schema its answer must fit."""

    model_config = ConfigDict(frozen=True)

    system: str
    user: str
    answer: type[BaseModel]
    max_output_tokens: int = 4096


@dataclass(frozen=True)
class WritingAction:
    """An action of the writer engine, as three pure functions over its parameters and inputs."""

    spec: ActionSpec
    prompt: Callable[[BaseModel, Mapping[str, JsonObject]], Prompt]
    # Faults of an answer, in words the writer can act on; empty when it is accepted.
    review: Callable[[JsonObject, Mapping[str, JsonObject]], list[str]]
    # The deterministic answer of a run without a key.
    rehearse: Callable[[BaseModel, Mapping[str, JsonObject]], JsonObject]
