"""The actions of the writer that make a text: outline, draft, revision; and what makes an answer unusable."""

import re
from collections.abc import Iterable, Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from maos.actions import ActionSpec, JsonObject
from maos.content import MOST_OUTLINE_BYTES, Outline, WrittenContent, most_content_bytes
from maos.content_brief import MOST_BRIEF_BYTES, Brief
from maos.content_plan import DraftParameters, OutlineParameters, ReviseParameters
from maos.content_prompts import (
    MOST_FLAG_BYTES,
    MOST_TEXT_TOKENS,
    brief_in,
    draft_promise,
    draft_prompt,
    outline_promise,
    outline_prompt,
    parameters_as,
    revise_promise,
    revise_prompt,
)
from maos.content_review import VariantReview
from maos.engines import EngineType
from maos.query_tables import as_data
from maos.rehearsed_content import rehearsed_draft, rehearsed_outline, rehearsed_revision
from maos.risk import RiskLevel
from maos.writing import WritingAction

M = TypeVar("M", bound=BaseModel)
# More than the instructions, the longest rules, a refusal of the last answer and the schema take.
_AROUND_THE_DATA_BYTES = 65_000
_MOST_TEXT_BYTES = 80_000
_LINK = re.compile(r"\w+://|\bwww\.|\]\(|<[a-z/]", re.IGNORECASE)


def _review_outline(answer: JsonObject, inputs: Mapping[str, JsonObject]) -> list[str]:
    outline = _parsed(Outline, answer)
    if isinstance(outline, list):
        return outline
    named = {fact for section in outline.sections for fact in section.facts}
    size = len(as_data(answer).encode())
    too_long = [f"answer: {size:,} bytes; at most {MOST_OUTLINE_BYTES:,}"] if size > MOST_OUTLINE_BYTES else []
    return too_long + _unknown(named, brief_in(inputs))


def _review_content(answer: JsonObject, inputs: Mapping[str, JsonObject]) -> list[str]:
    """Return what makes a text unusable; what it claims is checked in a step of its own, and shown."""
    content = _parsed(WrittenContent, answer)
    if isinstance(content, list):
        return content
    brief = brief_in(inputs)
    links = [f"{place}: has a link or markup; leave it out" for place, text in content.places if _LINK.search(text)]
    most, size = most_content_bytes(brief), len(content.told.encode())
    too_long = [f"answer: {size:,} bytes; at most {most:,}: write less"] if size > most else []
    return links + too_long + _unknown(content.cited, brief)


def _unknown(named: Iterable[str], brief: Brief) -> list[str]:
    known = brief.numbered
    return [f"facts: there is no {name!r}; facts: f1 to f{len(known)}" for name in sorted(set(named) - known.keys())]


def _parsed(model: type[M], answer: JsonObject) -> M | list[str]:
    try:
        return model.model_validate(answer)
    except ValidationError as error:
        return [f"{'.'.join(map(str, fault['loc'])) or 'answer'}: {fault['msg']}" for fault in error.errors()]


def _rehearse_outline(parameters: BaseModel, inputs: Mapping[str, JsonObject]) -> JsonObject:
    variants = parameters_as(OutlineParameters, parameters).variants
    return rehearsed_outline(brief_in(inputs), variants).model_dump(mode="json")


def _rehearse_draft(parameters: BaseModel, inputs: Mapping[str, JsonObject]) -> JsonObject:
    variant = parameters_as(DraftParameters, parameters).variant
    outline = Outline.model_validate(inputs["outline"])
    return rehearsed_draft(brief_in(inputs), outline, variant).model_dump(mode="json")


def _rehearse_revision(_parameters: BaseModel, inputs: Mapping[str, JsonObject]) -> JsonObject:
    return rehearsed_revision(brief_in(inputs), VariantReview.model_validate(inputs["text"])).model_dump(mode="json")


WRITE_OUTLINE = WritingAction(
    spec=ActionSpec(
        name="write_outline",
        engine=EngineType.CLAUDE_CLI,
        risk=RiskLevel.LOW,
        title="Outline the text by its brief.",
        parameters=OutlineParameters,
        inputs={"brief": Brief},
        output=Outline,
        read_only=True,
    ),
    prompt=outline_prompt,
    review=_review_outline,
    rehearse=_rehearse_outline,
    longest_prompt_bytes=MOST_BRIEF_BYTES + _AROUND_THE_DATA_BYTES,
    promised_bytes=outline_promise,
)
DRAFT_CONTENT = WritingAction(
    spec=ActionSpec(
        name="draft_content",
        engine=EngineType.CLAUDE_CLI,
        risk=RiskLevel.LOW,
        title="Write a variant of the text from the facts of its brief.",
        parameters=DraftParameters,
        inputs={"brief": Brief, "outline": Outline},
        output=WrittenContent,
        read_only=True,
    ),
    prompt=draft_prompt,
    review=_review_content,
    rehearse=_rehearse_draft,
    longest_prompt_bytes=MOST_BRIEF_BYTES + MOST_OUTLINE_BYTES + _AROUND_THE_DATA_BYTES,
    longest_answer_tokens=MOST_TEXT_TOKENS,
    promised_bytes=draft_promise,
)
REVISE_CONTENT = WritingAction(
    spec=ActionSpec(
        name="revise_content",
        engine=EngineType.CLAUDE_CLI,
        risk=RiskLevel.LOW,
        title="Write a variant of the text anew, where it was flagged.",
        parameters=ReviseParameters,
        inputs={"brief": Brief, "text": VariantReview},
        output=WrittenContent,
        read_only=True,
    ),
    prompt=revise_prompt,
    review=_review_content,
    rehearse=_rehearse_revision,
    longest_prompt_bytes=MOST_BRIEF_BYTES + _MOST_TEXT_BYTES + MOST_FLAG_BYTES + _AROUND_THE_DATA_BYTES,
    longest_answer_tokens=MOST_TEXT_TOKENS,
    promised_bytes=revise_promise,
)
