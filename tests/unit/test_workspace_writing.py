"""What the writer may be asked to do in a workspace, and that its ceiling is a true bound."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import ValidationError

from maos.actions import ArtifactRef
from maos.pricing import cost_of
from maos.rendering import template_fields
from maos.tariffs import Tariff
from maos.usage import Receipt, TokenUsage
from maos.workspace_writing import (
    CONTEXT_TOKENS,
    OUTPUT_TOKENS,
    WORK_IN_WORKSPACE,
    Tool,
    WorkspaceParameters,
    briefing,
    rehearsed_note,
    work_ceiling,
)
from maos.workspaces import path_fault, path_within, place_fault

NOW = datetime(2026, 11, 28, tzinfo=UTC)
MODELS = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tools", ["shell"]),
        ("tools", []),
        ("model", "opus"),
        ("max_turns", 0),
        ("max_turns", 101),
        ("max_cost_usd", "0"),
        ("max_cost_usd", "100.01"),
        ("files", {"../up.txt": "x"}),
        ("files", {"a": "x", "a/b": "x"}),
        ("files", {"large.txt": "x" * 10_000_001}),
        ("instructions", " "),
        ("instructions", "x" * 100_001),
    ],
)
def test_other_parameters_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        WorkspaceParameters.model_validate({"instructions": "Write notes."} | {field: value})

    assert {fault["loc"][0] for fault in caught.value.errors()} == {field}


def test_there_is_no_tool_for_a_shell() -> None:
    assert set(Tool) == {"read", "search", "edit", "write"}
    assert WorkspaceParameters(instructions="x").tools == (Tool.READ, Tool.EDIT, Tool.WRITE)


def test_instructions_are_a_template() -> None:
    assert template_fields(WORK_IN_WORKSPACE.parameters) == {"instructions"}


@pytest.mark.parametrize(
    "path", ["", "/a", "../a", "a/../b", "./a", "a//b", "a/", "a\\b", "a\nb", "a\u202eb", "x" * 201, "..", "."]
)
def test_a_path_that_could_lead_elsewhere_is_refused(path: str) -> None:
    assert path_fault(path)


@pytest.mark.parametrize("path", ["a", "a/b.txt", ".hidden", "with space.md", "..a/b"])
def test_a_plain_path_is_taken(path: str) -> None:
    assert path_fault(path) is None


def test_no_path_is_a_file_and_a_folder() -> None:
    assert place_fault(["a/b/c", "a/b"]) == "a/b is a file and a folder"
    assert place_fault(["a/b", "a/c"]) is None


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("workspaces/draft/src/a.md", "src/a.md"),
        ("images/cover.png", "cover.png"),
        ("report.html", "report.html"),
    ],
)
def test_a_file_of_the_run_keeps_its_place_in_its_workspace(name: str, place: str) -> None:
    assert path_within(ArtifactRef(name=name, media_type="", sha256="", size=0)) == place


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "kind", ["input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"]
)
def test_no_try_can_cost_more_than_its_ceiling(model: str, kind: str) -> None:
    # Just below its limit a try makes the dearest call there is, and one more begins before it is ended.
    dearest = TokenUsage(**{kind: CONTEXT_TOKENS}, output_tokens=OUTPUT_TOKENS, in_region=True)
    spent = Decimal("0.99999999") + 2 * cost_of(dearest, model, NOW).usd

    assert spent <= work_ceiling(Decimal(1), model=model, tariff=Tariff(at=NOW))


def test_the_briefing_names_the_agent_then_the_house_then_the_place() -> None:
    told = briefing(persona="You edit.", house_rules="Never promise.")

    assert told.startswith("You edit.\n\nNever promise.\n\nYou work alone")
    assert briefing(persona="", house_rules="").startswith("You work alone")


def test_a_rehearsal_follows_from_what_was_asked_alone() -> None:
    parameters = WorkspaceParameters(instructions="Write notes.")

    assert rehearsed_note(parameters, ("b", "a")) == rehearsed_note(parameters, ("a", "b"))
    assert "no engine was called" in rehearsed_note(parameters, ())


def test_a_receipt_adds_up_all_models() -> None:
    one, two = TokenUsage(input_tokens=1, in_region=True), TokenUsage(input_tokens=2, output_tokens=3)
    receipt = Receipt(model="a", usage=one, others={"b": two}, raw_usage={}, final=True)

    assert receipt.total == TokenUsage(input_tokens=3, output_tokens=3, in_region=True)
    assert dict(receipt.by_model()) == {"a": one, "b": two}
