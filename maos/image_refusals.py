"""Why a picture is missing, in words that its reader understands and that name no vendor."""

import re

from maos.failures import FailureKind

_ENGINE_WORD = re.compile(r"\b[A-Z][A-Z_]{3,}\b")
# What the engine says when it declines, as `tasks.illustrator` passes it on.
_PROMPT_BLOCKED = "the prompt was blocked"
_DECLINED: dict[str, str] = {
    "SAFETY": "it would not be safe",
    "IMAGE_SAFETY": "it would not be safe",
    "PROHIBITED_CONTENT": "it shows what may not be shown",
    "IMAGE_PROHIBITED_CONTENT": "it shows what may not be shown",
    "BLOCKLIST": "it holds a word that is blocked",
    "SPII": "it holds personal data",
    "RECITATION": "it is too close to an existing work",
    "IMAGE_RECITATION": "it is too close to an existing work",
}
_REASONS: dict[FailureKind, str] = {
    FailureKind.RATE_LIMITED: "too much was asked of the illustrator at once",
    FailureKind.OVERLOADED: "the illustrator was overloaded",
    FailureKind.UNREACHABLE: "the illustrator could not be reached",
    FailureKind.TIMED_OUT: "the illustrator took too long",
    FailureKind.INTERRUPTED: "the illustrator's answer broke off",
    FailureKind.NOT_CONFIGURED: "the illustrator is not configured",
    FailureKind.NOT_PERMITTED: "the illustrator does not accept the key",
    FailureKind.BILLING: "there is no credit left with the illustrator",
    FailureKind.TRUNCATED: "the illustrator used its room up before there was a picture",
    FailureKind.UNUSABLE_OUTPUT: "what the illustrator sent is no picture",
    FailureKind.BUDGET: "it did not fit into the budget",
    FailureKind.REFUSED: "the rules forbid it",
    FailureKind.PROCESS_DIED: "its process ended while the illustrator worked",
}


def reason_of(kind: FailureKind, detail: str) -> str:
    """Return why a picture is missing.

    Args:
        detail: what operators read of the failure; nothing of it is repeated.
    """
    if kind is not FailureKind.DECLINED:
        return _REASONS.get(kind, kind.value.replace("_", " "))
    said = next((_DECLINED[word] for word in _ENGINE_WORD.findall(detail) if word in _DECLINED), "")
    what = "the prompt was refused" if _PROMPT_BLOCKED in detail else "the picture was refused"
    return f"{what}: {said}" if said else what
