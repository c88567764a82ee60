"""The evidence of a run as one file that checks itself: its form, its seal, and what it says of itself."""

import json
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from maos.actions import ArtifactRef, JsonObject
from maos.audit import Document
from maos.bound_facts import ATTEMPT, END, OPENING, REQUEST, bound_digest
from maos.canonical import digest_of
from maos.engines import EngineType

Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Money = Annotated[str, StringConstraints(pattern=r"^-?[0-9]+(\.[0-9]+)?$")]


class _Part(BaseModel):
    # What later releases add to their rows is kept and sealed, though this one does not look at it.
    model_config = ConfigDict(frozen=True, extra="allow", strict=True)


class _Bound(_Part):
    _bound: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if missing := set(self._bound) - self.model_dump().keys():
            raise ValueError(f"{min(missing)} is missing")
        return self

    def bound_digest(self, names: tuple[str, ...] = ()) -> str:
        """Return the digest that the audit log must have of it."""
        return bound_digest(self.model_dump(mode="json"), names or self._bound)


class RunFacts(_Bound):
    """The run's row, without its plan, which stands among the revisions, and without request and result."""

    id: str
    org_id: str
    initiator_id: str
    status: str
    plan_digest: Hash
    completed_at: str | None
    _bound: ClassVar[tuple[str, ...]] = (*OPENING, *END)


class RevisionFacts(_Part):
    """A plan that the run has had; its engines by their labels."""

    revision: int
    plan: JsonObject
    plan_digest: Hash


class AttemptFacts(_Bound):
    """An attempt of a step; see `maos.bound_facts` for what the audit log binds of it."""

    id: str
    step_id: str
    status: str
    approval_id: str | None
    digest: Hash | None
    reused_from: str | None
    artifacts: tuple[ArtifactRef, ...]
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: Money

    _bound: ClassVar[tuple[str, ...]] = ATTEMPT


class VoteFacts(_Part):
    """A person's vote."""

    approval_id: str
    decision: str
    voter: str


class EditFacts(_Part):
    """What a reviewer has made of the payload that was shown."""

    before: JsonObject
    after: JsonObject
    digest_before: Hash
    digest_after: Hash
    edited_by: str


class ApprovalFacts(_Bound):
    """An approval with its payload, policy, votes and edits."""

    id: str
    step_id: str
    payload: JsonObject
    digest: Hash
    status: str
    approvals_required: int
    decided_by: str | None
    decided_via: str | None
    consumed_at: str | None
    votes: tuple[VoteFacts, ...]
    _bound: ClassVar[tuple[str, ...]] = REQUEST

    @model_validator(mode="after")
    def _has_edits(self) -> Self:
        self.edits  # noqa: B018 - raises where they are none
        return self

    @property
    def edits(self) -> tuple[EditFacts, ...]:
        """Its edits; a file from before approvals could be edited has no word of them."""
        return tuple(EditFacts.model_validate(edit) for edit in (self.model_extra or {}).get("edits", ()))

    @property
    def granted_by(self) -> str | None:
        """The approval that granted it together with others, where it was not asked for by itself."""
        granted = (self.model_extra or {}).get("granted_by")
        return granted if isinstance(granted, str) else None


class EffectFacts(_Part):
    """What a step has done to the world outside."""

    step_id: str
    status: str


class EntryFacts(_Part):
    """A movement of money."""

    invocation_id: str
    kind: str
    amount_usd: Money


class Totals(_Part):
    """What the run took in all."""

    cost_usd: Money
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int


class FileFacts(_Part):
    """A file of the run as it was recorded, and what was found in its place when the evidence was written."""

    name: str
    size: int
    sha256: Hash
    found: Literal["intact", "changed", "missing"]


class LinkFacts(_Part):
    """A link of the organisation's chain: a row of this run, or only what proves the place of another row.

    Args:
        row: as it is hashed, without its own hash.
        content: where there is no row to read: the digest of what it says.
        row_hash: of a row, its hash; of a foreign one of the first releases, all that can be said.
    """

    sequence: int
    row: dict[str, str | bool | int | None] | None = None
    content: Hash | None = None
    row_hash: Hash | None = None


class ChainFacts(_Part):
    """The stretch of the organisation's chain from the run's first row to its last."""

    previous_hash: Hash
    links: tuple[LinkFacts, ...] = Field(min_length=1)
    head: Hash = Field(description="Hash of the last link.")


class Evidence(_Part):
    """Everything there is to show of one run."""

    format: Literal["maos-evidence"] = "maos-evidence"
    version: Literal[1] = 1
    audience: Literal["clients", "internal"]
    issued_at: str
    org: str
    run: RunFacts
    plan_revisions: tuple[RevisionFacts, ...]
    invocations: tuple[AttemptFacts, ...]
    approvals: tuple[ApprovalFacts, ...]
    effects: tuple[EffectFacts, ...]
    usage_entries: tuple[EntryFacts, ...]
    totals: Totals
    artifacts: tuple[FileFacts, ...]
    chain: ChainFacts
    vendor_details: tuple[JsonObject, ...] = ()
    withheld: tuple[str, ...] = Field(default=(), description="Places in which something was taken out of a text.")
    seal: Hash = Field(default="0" * 64, description="SHA-256 of the canonical JSON of everything else.")

    def sealed(self) -> Self:
        """Return it with the seal that it must have."""
        return self.model_copy(update={"seal": digest_of(self.model_dump(mode="json", exclude={"seal"}))})

    def rendered(self) -> str:
        """Return the file: there is exactly one for what it says."""
        return json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    @property
    def erased(self) -> tuple[str, ...]:
        """Places of which a person's data was erased; most files have no word of it."""
        places = (self.model_extra or {}).get("erased", ())
        return tuple(map(str, places)) if isinstance(places, list | tuple) else ()

    def hides(self, *place: str | int) -> bool:
        """Say whether something was taken out of a part of it."""
        at = pointer(place)
        return any(hidden == at or hidden.startswith(f"{at}/") for hidden in (*self.withheld, *self.erased))

    @property
    def rows(self) -> tuple[Document, ...]:
        """The audit rows of the run."""
        return tuple(link.row for link in self.chain.links if link.row is not None)


def pointer(place: tuple[str | int, ...]) -> str:
    """Return a place as a JSON pointer."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in place)


def totals_of(attempts: tuple[AttemptFacts, ...], entries: tuple[EntryFacts, ...]) -> Totals:
    """Add up what the attempts took; what they cost is what was settled, and corrected later."""
    cost = sum((Decimal(e.amount_usd) for e in entries if e.kind in {"settle", "correct"}), start=Decimal(0))
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    tokens = {name: sum(getattr(attempt, name) for attempt in attempts) for name in names}
    return Totals(cost_usd=f"{cost.normalize():f}", **tokens)


def with_labels(plan_or_payload: JsonObject) -> JsonObject:
    """Return a plan or payload with its engines by their labels, which give no vendor away."""
    return _renamed(plan_or_payload, {engine.value: engine.label for engine in EngineType})


def with_engines(plan_or_payload: JsonObject) -> JsonObject:
    """Return it as it was before `with_labels`: as its digest was taken."""
    return _renamed(plan_or_payload, {engine.label: engine.value for engine in EngineType})


def _renamed(document: JsonObject, names: dict[str, str]) -> JsonObject:
    """Rename engines where plans and payloads name them: neither in parameters nor in any other words."""
    changed = dict(document)
    for name in _ENGINES & document.keys():
        changed[name] = names.get(str(document[name]), document[name])
    for name in _LISTS & document.keys():
        if isinstance(parts := document[name], list):
            changed[name] = [_renamed(part, names) if isinstance(part, dict) else part for part in parts]
    if isinstance(payload := document.get("payload"), dict):
        changed["payload"] = _renamed(payload, names)
    return changed


_ENGINES = {"engine", "engine_type"}
# Of a plan; and what an approval of several payloads covers.
_LISTS = {"steps", "covers"}
