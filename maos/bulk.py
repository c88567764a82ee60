"""Deciding by sameness: which approvals are alike, and the little in which they differ."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import JsonObject
from maos.approval_policy import deciders_of
from maos.approvals import Approval, ApprovalKind
from maos.differences import all_same, compared, cut, cut_alike, in_words
from maos.votes import Vote, progress_in_numbers

# Of the payload, what its reader cannot judge: they bind it to its plan and rules, and differ with every plan.
_SEALS = frozenset({"plan_digest", "rules_digest"})
_CELL, _LINE = 40, 400


class Sameness(BaseModel):
    """What approvals have in common that one gesture may decide: all of it must be equal."""

    model_config = ConfigDict(frozen=True)

    org_id: UUID
    kind: ApprovalKind
    action: str
    engine: str
    fields: tuple[str, ...] = Field(description="The names of the parameters, nested ones by their path.")
    deciders: Mapping[str, object] = Field(description="Who decides, in which stages.")


def sameness_of(approval: Approval) -> Sameness:
    """Return what another approval must share to be decided with this one."""
    return Sameness(
        org_id=approval.org_id,
        kind=approval.kind,
        action=approval.action,
        engine=approval.engine,
        fields=tuple(sorted(_fields(_asked(approval)))),
        deciders=deciders_of(approval.policy),
    )


def _asked(approval: Approval) -> JsonObject:
    """Return what the approval is about: an action's parameters, or all that a question of another kind says."""
    if approval.kind is ApprovalKind.PLAN:
        covers = {each["step_id"]: each["payload"].get("parameters", {}) for each in approval.payload["covers"]}
        return {"steps": covers}
    parameters: JsonObject | None = approval.payload.get("parameters")
    return parameters if parameters is not None else _unsealed(approval.payload)


def _unsealed(payload: JsonObject) -> JsonObject:
    return {name: value for name, value in payload.items() if name not in _SEALS}


def _fields(value: JsonObject, path: str = "") -> list[str]:
    names = [(f"{path}.{name}" if path else name, inner) for name, inner in value.items()]
    return [
        field
        for name, inner in names
        for field in (_fields(inner, name) if isinstance(inner, dict) and inner else [name])
    ]


class Comparison(BaseModel):
    """Approvals side by side: what all of them have, once, and the rest as a table."""

    model_config = ConfigDict(frozen=True)

    equal: Mapping[str, str]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = Field(description="One for each approval, in their order.")
    reads_differ: bool = Field(description="Whether some of what they read from earlier steps differs.")


def comparison_of(approvals: Sequence[Approval], votes: Mapping[UUID, Sequence[Vote]]) -> Comparison:
    """Return what a person reads who decides all of these at once.

    Args:
        approvals: at least one.
        votes: those on each so far.
    """
    facts = [_facts(approval, votes.get(approval.id, ())) for approval in approvals]
    found = [*compared(facts), *compared([_asked(approval) for approval in approvals])]
    equal = {path: values for path, values in found if all_same(values)}
    differing = {path: values for path, values in found if path not in equal}
    cells = [cut_alike([in_words(value) for value in values], at_most=_CELL) for values in differing.values()]
    return Comparison(
        equal={path: cut(in_words(values[0]), at_most=_LINE) for path, values in equal.items()},
        columns=tuple(differing),
        rows=tuple(zip(*cells, strict=True)) if cells else ((),) * len(approvals),
        reads_differ=any(path.startswith("reads") for path in differing),
    )


def _facts(approval: Approval, votes: Sequence[Vote]) -> JsonObject:
    # Names of more than one word: no parameter can be called so.
    facts: JsonObject = {
        "what happens": approval.title,
        "at step": approval.step_id,
        "its risk": approval.risk.value,
        "engine used": approval.engine.label,
        "cost at most": f"{approval.cost_ceiling_usd.normalize():f} USD",
        "asked by": approval.initiator,
        "decided by": approval.policy.in_words,
        "approved so far": progress_in_numbers(approval, votes),
    }
    if agent := approval.payload.get("agent"):
        facts["by agent"] = agent["name"]
    reads: Mapping[str, str] = approval.payload.get("inputs", {})
    return facts | {f"reads {name}": digest[:16] for name, digest in reads.items()}
