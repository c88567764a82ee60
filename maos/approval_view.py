"""What a reviewer reads of an approval, in Markdown: everything that came from elsewhere is inert."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from maos.actions import JsonObject
from maos.approval_policy import DecidingRole
from maos.approvals import Approval
from maos.canonical import canonical_json
from maos.risk import RiskLevel
from maos.votes import Vote, progress_in_words


def parameters_as_markdown(parameters: JsonObject) -> str:
    """Return an action's parameters as a Markdown table, every value as inert code."""
    rows = "\n".join(f"| {name} | {as_code(canonical_json(value))} |" for name, value in parameters.items())
    return f"| parameter | value |\n|---|---|\n{rows}" if rows else "No parameters."


def as_code(text: str) -> str:
    """Return text as inline code that cannot break out of a Markdown table."""
    return "`" + text.replace("`", "'").replace("|", "\\|").replace("\n", " ") + "`"


def approvals_as_markdown(
    approvals: Sequence[Approval], *, refusal: str | None, votes: Mapping[UUID, Sequence[Vote]] | None = None
) -> str:
    """Return what a reviewer reads above the form: why the last answer was refused, then each open action.

    Args:
        votes: by the approval's id.
    """
    shown = (as_markdown(approval, (votes or {}).get(approval.id, ())) for approval in approvals)
    return "\n".join([*_refusal_in_words(refusal), *shown])


def hold_as_markdown(held_by: str, *, refusal: str | None) -> str:
    """Return what an operator reads above the form of a run that is held."""
    words = f"## The run is held\n\nBy {as_code(held_by)}, before its next step. Approve to let it go on.\n"
    return "\n".join([*_refusal_in_words(refusal), words])


def _refusal_in_words(refusal: str | None) -> list[str]:
    return [f"> **Your last answer was refused:** {as_code(refusal)}\n"] if refusal else []


def as_markdown(approval: Approval, votes: Sequence[Vote] = ()) -> str:
    """Return one approval: a table of what it is, then what will happen."""
    facts = {
        "step": as_code(approval.step_id),
        **_choices_in_words(approval),
        "risk": RISK_IN_COLOUR[approval.risk],
        "engine": approval.engine.label,
        "cost at most": f"{approval.cost_ceiling_usd.normalize():f} USD",
        "asked by": as_code(approval.initiator),
        **_deciders_in_words(approval, votes),
        "decide before": f"{approval.expires_at:%Y-%m-%d %H:%M} UTC",
        "approval": as_code(str(approval.id)),
        "digest": as_code(f"{approval.digest[:16]}…"),
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    return f"## {approval.title}\n\n| | |\n|---|---|\n{table}\n\n{approval.preview}\n"


def _choices_in_words(approval: Approval) -> dict[str, str]:
    return {"approving takes a choice": " or ".join(map(as_code, approval.choices))} if approval.choices else {}


def _deciders_in_words(approval: Approval, votes: Sequence[Vote]) -> dict[str, str]:
    words: dict[str, str] = {}
    anybody = approval.policy.users is None and approval.policy.roles == frozenset(DecidingRole)
    if not anybody or progress_in_words(approval, votes):
        words["only decided by"] = as_code(approval.policy.in_words)
    if progress := progress_in_words(approval, votes):
        words["so far"] = as_code(progress)
    if approval.policy.codes_required:
        words["one-time code"] = "required"
    if approval.revision > 1:
        words["edited"] = f"{approval.revision - 1} times; shown as it is now"
    return words


RISK_IN_COLOUR: Mapping[RiskLevel, str] = {
    RiskLevel.LOW: "🟢 low",
    RiskLevel.MEDIUM: "🟡 medium",
    RiskLevel.HIGH: "🟠 **high**",
    RiskLevel.CRITICAL: "🔴 **critical**",
}
