"""An action is shown as a plan's author reads it."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from maos.action_view import schemas_of, type_name, view_of
from maos.actions import ActionSpec
from maos.effects import Effect, EffectKind
from maos.engines import EngineType
from maos.metrics import DatasetProfile, Metrics
from maos.risk import RiskLevel


class _Parameters(BaseModel):
    to: str


SPEC = ActionSpec(
    name="act",
    engine=EngineType.CLAUDE_CLI,
    risk=RiskLevel.HIGH,
    title="Act.",
    parameters=_Parameters,
    inputs={"metrics": Metrics, "words": str},
    output=Metrics,
    effect=Effect(kind=EffectKind.UPLOAD, repeatable=True),
    proposes_steps=True,
    timeout_seconds=30,
)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Metrics, "Metrics"),
        (str, "str"),
        (Metrics | DatasetProfile, "Metrics | DatasetProfile"),
        (dict[str, Metrics], "dict[str, Metrics]"),
        (list[Metrics] | None, "list[Metrics] | None"),
        (Any, "Any"),
    ],
)
def test_a_type_is_named_without_its_modules(kind: object, name: str) -> None:
    assert type_name(kind) == name


def test_an_action_is_shown_whole() -> None:
    view = view_of(SPEC, {"sonnet": Decimal("1.5")})

    assert view.model_dump(mode="json") == {
        "name": "act",
        "title": "Act.",
        "engine": "writer",
        "engine_type": "claude_cli",
        "risk": "high",
        "always_asks": False,
        "read_only": False,
        "effect": {"kind": "upload", "repeatable": True, "repeatable_if": None},
        "inputs": {"metrics": "Metrics", "words": "str"},
        "open_inputs": False,
        "output": "Metrics",
        "proposes_steps": True,
        "timeout_seconds": 30.0,
        "free": False,
        "at_most_usd": {"sonnet": "1.5"},
    }


def test_an_action_that_costs_nothing_is_free() -> None:
    assert view_of(SPEC, {}).free


def test_its_schemas_say_what_it_takes_and_gives() -> None:
    schemas = schemas_of(SPEC)

    assert schemas.parameters_schema["required"] == ["to"]
    assert schemas.output_schema == Metrics.model_json_schema()
