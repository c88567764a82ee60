"""What became of each variant of a text, round by round: its claims, its flags, and what changed."""

from collections.abc import Mapping
from difflib import unified_diff

from pydantic import BaseModel, ConfigDict, Field

from maos.claim_sentences import sentences_of
from maos.claims import Claim, claims_of
from maos.content import WrittenContent
from maos.content_brief import Brief
from maos.content_rules import Flag, FlagKind, flags_of

MOST_REVISIONS = 3
MOST_ROUNDS = 1 + MOST_REVISIONS


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class PastRound(_Value):
    """A text that was written anew, and why."""

    round: int
    content: WrittenContent
    flags: tuple[Flag, ...]


class VariantReview(_Value):
    """A variant as it stands."""

    variant: int
    round: int = Field(description="In which its text was written; 1 is the draft.")
    content: WrittenContent
    claims: tuple[Claim, ...]
    flags: tuple[Flag, ...]
    past: tuple[PastRound, ...] = Field(default=(), description="Its earlier rounds, the first one first.")

    @property
    def asks_for_revision(self) -> bool:
        """Whether it has to be written anew."""
        return any(flag.asks_for_revision for flag in self.flags)


class ContentReview(_Value):
    """The check of a round."""

    round: int
    variants: tuple[VariantReview, ...]

    @property
    def to_revise(self) -> tuple[VariantReview, ...]:
        """The variants that are written anew, where there is a round left."""
        return tuple(each for each in self.variants if each.asks_for_revision) if self.round < MOST_ROUNDS else ()

    @property
    def best(self) -> VariantReview:
        """The variant with the least to look at; of equals the first."""
        return min(self.variants, key=lambda each: (each.asks_for_revision, len(each.flags), each.variant))

    def variant(self, number: int) -> VariantReview | None:
        """Return a variant by its number."""
        return next((each for each in self.variants if each.variant == number), None)


def first_review(brief: Brief, drafts: Mapping[int, WrittenContent]) -> ContentReview:
    """Check the drafts."""
    return ContentReview(round=1, variants=tuple(_checked(brief, number, 1, text) for number, text in drafts.items()))


def next_review(brief: Brief, before: ContentReview, texts: Mapping[int, WrittenContent | None]) -> ContentReview:
    """Check what was written anew; a variant whose revision failed stays as it was, and says so."""
    return ContentReview(
        round=before.round + 1,
        variants=tuple(_again(brief, each, before.round + 1, texts) for each in before.variants),
    )


def _again(
    brief: Brief, before: VariantReview, number: int, texts: Mapping[int, WrittenContent | None]
) -> VariantReview:
    if before.variant not in texts:
        return before
    text = texts[before.variant]
    if text is None:
        detail = f"round {number} brought no text; this is the one of round {before.round}"
        flag = Flag(kind=FlagKind.UNREVISED, place="text", detail=detail)
        return before.model_copy(update={"flags": (*before.flags, flag)})
    past = PastRound(round=before.round, content=before.content, flags=before.flags)
    return _checked(brief, before.variant, number, text, (*before.past, past))


def _checked(
    brief: Brief, variant: int, number: int, text: WrittenContent, past: tuple[PastRound, ...] = ()
) -> VariantReview:
    claims = claims_of(text, brief)
    flags = flags_of(text, brief, claims)
    return VariantReview(variant=variant, round=number, content=text, claims=claims, flags=flags, past=past)


def changes_of(before: WrittenContent, after: WrittenContent) -> str:
    """Return what a round changed, sentence by sentence: `-` is gone, `+` is new."""
    lines = list(unified_diff(lines_of(before), lines_of(after), lineterm="", n=1))
    # Without the names of files, which there are none of.
    return "\n".join("…" if line.startswith("@@") else line for line in lines[2:]) or "Nothing has changed."


def lines_of(content: WrittenContent) -> list[str]:
    """Return a text as it is compared: a line for each sentence."""
    return [line for _, text in content.places for line in sentences_of(text)]
