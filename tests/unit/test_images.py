"""What an image is asked for with, and that its model has one name in one place."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from maos.images import (
    CREATE_IMAGE,
    IMAGE_MODEL,
    LONGEST_PROMPT_BYTES,
    ImageParameters,
    digest_of_prompt,
    is_locked_model,
    longest_prompt_bytes,
    prompt_of,
)
from maos.rendering import template_fields
from maos.settings import Settings

ROOT = Path(__file__).parent.parent.parent
_TEXT = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".sql", ".cfg", ".ini", ".txt", ".html", ".js", ""}
_NOT_OURS = {".git", ".venv", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", "node_modules"}


def test_the_model_is_named_in_one_place_of_the_whole_tree() -> None:
    naming = {
        str(path.relative_to(ROOT)): text.count(IMAGE_MODEL)
        for path in ROOT.rglob("*")
        if path.is_file() and path.suffix in _TEXT and not _NOT_OURS & set(path.relative_to(ROOT).parts)
        if IMAGE_MODEL in (text := path.read_text(errors="replace"))
    }

    assert naming == {"maos/images.py": 1}


def test_no_setting_names_a_model_of_images() -> None:
    assert {name for name in Settings.model_fields if "gemini" in name} == {
        "gemini_api_key",
        "gemini_base_url",
        "limit_gemini_image",
    }


def test_no_parameter_names_a_model() -> None:
    assert set(ImageParameters.model_fields) == {"prompt", "aspect_ratio", "references"}
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        ImageParameters.model_validate({"prompt": "A lighthouse", "model": "another"})


def test_the_prompt_is_a_template() -> None:
    assert template_fields(CREATE_IMAGE.parameters) == {"prompt"}


@pytest.mark.parametrize("prompt", ["", " \n", "x" * (LONGEST_PROMPT_BYTES + 1), "é" * (LONGEST_PROMPT_BYTES // 2 + 1)])
def test_a_prompt_is_something_and_not_too_long(prompt: str) -> None:
    with pytest.raises(ValidationError):
        ImageParameters(prompt=prompt)


@pytest.mark.parametrize("persona", ["", "Paint plainly.", "ü" * 4000])
def test_no_prompt_is_longer_than_its_plan_was_priced_for(persona: str) -> None:
    longest = ImageParameters(prompt="é" * (LONGEST_PROMPT_BYTES // 2))

    assert len(prompt_of(longest, persona=persona).encode()) <= longest_prompt_bytes(persona)


def test_who_paints_is_part_of_the_prompt() -> None:
    parameters = ImageParameters(prompt="A lighthouse")

    assert prompt_of(parameters, persona="") == "A lighthouse"
    assert prompt_of(parameters, persona="Paint plainly.") == "Paint plainly.\n\nA lighthouse"
    assert digest_of_prompt("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    ("suffix", "locked"), [("", True), ("-preview", True), ("-preview-0926", True), ("-002", True), ("-lite", False)]
)
def test_the_locked_model_is_known_by_its_releases(suffix: str, locked: bool) -> None:
    assert is_locked_model(IMAGE_MODEL + suffix) is locked
    assert is_locked_model(f"models/{IMAGE_MODEL}{suffix}") is locked
    assert not is_locked_model(f"x{IMAGE_MODEL}{suffix}")
