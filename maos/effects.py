"""Effects on the world outside a run: of what kind, what may be done about one whose fate is unknown."""

from collections.abc import Mapping
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class EffectKind(StrEnum):
    """What reaches outside; the database repeats the set as a CHECK."""

    EMAIL = "email"
    WEBHOOK = "webhook"
    UPLOAD = "upload"
    CONTAINER = "container"
    PUBLISH = "publish"


class EffectStatus(StrEnum):
    """Where one effect stands in the ledger."""

    INTENDED = "intended"
    DONE = "done"
    NOT_DONE = "not_done"
    IN_DOUBT = "in_doubt"


class Effect(BaseModel):
    """What an action does to the world outside."""

    model_config = ConfigDict(frozen=True)

    kind: EffectKind
    repeatable: bool = Field(default=False, description="Whether doing it twice is the same as doing it once.")
    repeatable_if: str | None = Field(
        default=None, description="The boolean parameter that says that the other side drops repetitions by their key."
    )

    def repeats_safely(self, parameters: Mapping[str, object]) -> bool:
        """Say whether the effect may be repeated when its fate is unknown."""
        return self.repeatable or (self.repeatable_if is not None and parameters.get(self.repeatable_if) is True)


class DoubtChoice(StrEnum):
    """What a person may say of an effect in doubt."""

    AGAIN = "again"
    DONE = "done"


def effect_key(run_id: UUID, step_id: str) -> str:
    """Return the idempotency key of a step's effect: the same for every attempt, and nobody else's."""
    return f"maos-{run_id}-{step_id}"
