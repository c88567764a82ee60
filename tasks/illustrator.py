"""One call of the image engine: a prompt goes out, an image or a typed failure comes back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from blocks.gemini_image import GeminiImageEngine
from maos.actions import JsonObject
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.images import IMAGE_MODEL, AspectRatio, is_locked_model
from maos.labels import printable
from maos.usage import Receipt, TokenUsage

if TYPE_CHECKING:
    from blocks.gemini_image import ImageAnswer

_DELIVERED = "STOP"
_FAILED_STOPS: dict[str, FailureKind] = {
    "MAX_TOKENS": FailureKind.TRUNCATED,
    "PUP_LIMITED_DISABLED": FailureKind.NOT_PERMITTED,
    **dict.fromkeys(
        (
            "SAFETY",
            "IMAGE_SAFETY",
            "PROHIBITED_CONTENT",
            "IMAGE_PROHIBITED_CONTENT",
            "BLOCKLIST",
            "SPII",
            "RECITATION",
            "IMAGE_RECITATION",
            "ESCALATION",
        ),
        FailureKind.DECLINED,
    ),
}


class ImageReply(Receipt):
    """The bytes of an image as the engine sent them, with what it consumed."""

    content: bytes = Field(repr=False)
    media_type: str = Field(description="What the engine says that the bytes are.")


def call_illustrator(
    engine: GeminiImageEngine, prompt: str, aspect_ratio: AspectRatio, references: Sequence[bytes] = ()
) -> ImageReply:
    """Ask the image engine once; a failure carries a receipt if anything was consumed.

    Args:
        references: pictures that the engine is shown, as PNG.

    Raises:
        EngineFailure: when no image came.
    """
    with engine.connect() as client:
        answer = client.create(prompt, aspect_ratio=aspect_ratio, references=references)
    receipt = _receipt_of(answer)
    try:
        media_type, content = _image_of(answer)
    except EngineFailure as failure:
        raise EngineFailure(failure.kind, failure.detail, failure.retry_after, receipt) from None
    return ImageReply(content=content, media_type=media_type, **dict(receipt))


def _image_of(answer: "ImageAnswer") -> tuple[str, bytes]:
    feedback = answer.prompt_feedback
    if feedback and feedback.block_reason:
        raise EngineFailure(FailureKind.DECLINED, f"the prompt was blocked: {_word(feedback.block_reason.value)}")
    if not is_locked_model(_model_of(answer)):
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, f"another model answered: {printable(_model_of(answer), 60)}")
    if not answer.candidates:
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, "the answer has no candidate")
    candidate = answer.candidates[0]
    stopped = _word(candidate.finish_reason.value) if candidate.finish_reason else "no finish reason"
    if stopped != _DELIVERED:
        kind = _FAILED_STOPS.get(stopped, FailureKind.UNUSABLE_OUTPUT)
        raise EngineFailure(kind, f"the engine stopped: {stopped}")
    parts = (candidate.content.parts if candidate.content else None) or []
    # Sketches on the way are marked as thoughts.
    for blob in (part.inline_data for part in parts if not part.thought):
        if blob and blob.data:
            return blob.mime_type or "no type", blob.data
    raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, "the answer holds no image")


def _model_of(answer: "ImageAnswer") -> str:
    """Return the model as the answer names it; one that names none comes from the one that was asked."""
    return (answer.model_version or IMAGE_MODEL).removeprefix("models/")


def _receipt_of(answer: "ImageAnswer") -> Receipt:
    usage = answer.usage_metadata
    raw = usage.model_dump(mode="json", by_alias=True, exclude_none=True) if usage else {}
    return Receipt(
        model=_model_of(answer),
        request_id=answer.response_id,
        usage=usage_of(raw),
        raw_usage=raw,
        final=usage is not None and usage.prompt_token_count is not None,
    )


def usage_of(raw: JsonObject) -> TokenUsage:
    """Read the vendor's own record of the usage."""
    made = raw.get("candidatesTokenCount") or 0
    split = raw.get("candidatesTokensDetails") or []
    # Where the answer does not say which tokens are the image, all are: that is the dearer class.
    images = sum(part.get("tokenCount") or 0 for part in split if part.get("modality") == "IMAGE") if split else made
    cached = raw.get("cachedContentTokenCount") or 0
    asked = (raw.get("promptTokenCount") or 0) + (raw.get("toolUsePromptTokenCount") or 0)
    return TokenUsage(
        input_tokens=max(asked - cached, 0),
        cache_read_tokens=cached,
        image_tokens=images,
        output_tokens=max(made - images, 0) + (raw.get("thoughtsTokenCount") or 0),
    )


def _word(value: str) -> str:
    return printable(value, 60)
