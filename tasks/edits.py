"""A reviewer's edit: the payload with other parameters, under everything that the first one had to satisfy."""

from maos.actions import JsonObject
from maos.approvals import Approval
from maos.decisions import DecisionRequest, Refusal, Rule
from maos.errors import DecisionRefused, InputMismatch, RuleBroken
from maos.runs import Run
from tasks.ceilings import step_ceiling
from tasks.gates import asked_policy, preview_of
from tasks.ledger import find_run
from tasks.payloads import Payload, payload_of

_INSTEAD = "reject it, and have it asked anew"


def edited(approval: Approval, request: DecisionRequest) -> Approval:
    """Return the approval with a payload in which some parameters are replaced.

    Raises:
        DecisionRefused: when they are not what the action takes, the rules forbid them, or others would have to decide.
    """
    run = find_run(approval.run_id) if approval.run_id else None
    if run is None:
        raise _refused(approval, Rule.KIND, "it belongs to no run, and has no parameters to edit")
    before: JsonObject = approval.payload["parameters"]
    changes = request.edited or {}
    if unknown := sorted(changes.keys() - before.keys()):
        allowed = ", ".join(before) or "none"
        raise _refused(approval, Rule.SCHEMA, f"unknown parameters {', '.join(unknown)}; allowed: {allowed}")
    shown = _payload(approval, run, before)
    payload = _payload(approval, run, before | changes)
    _check_policy(approval, shown, payload)
    return approval.model_copy(
        update={
            "revision": approval.revision + 1,
            "stage": 0,
            "escalated": False,
            "edited": payload.parameters,
            "payload": payload.content,
            "digest": payload.digest,
            "preview": _preview(approval, payload),
            "cost_ceiling_usd": step_ceiling(payload),
        }
    )


def _payload(approval: Approval, run: Run, parameters: JsonObject) -> Payload:
    try:
        return payload_of(run, approval.step_id, edited=parameters)
    except InputMismatch as error:
        raise _refused(approval, Rule.SCHEMA, str(error)) from None
    except RuleBroken as error:
        raise _refused(approval, Rule.POLICY, str(error)) from None


def _preview(approval: Approval, payload: Payload) -> str:
    try:
        return preview_of(payload)
    except InputMismatch as error:
        # They fit the action's schema, and not what it acts on.
        raise _refused(approval, Rule.SCHEMA, str(error)) from None


def _check_policy(approval: Approval, shown: Payload, payload: Payload) -> None:
    """Refuse an edit of which others would have to be asked than those who are."""
    if payload.risk.rank > approval.risk.rank:
        words = f"the edit raises the risk from {approval.risk} to {payload.risk}; reject it, and have it asked anew"
        raise _refused(approval, Rule.POLICY, words)
    if asked_policy(payload) != asked_policy(shown):
        words = f"as edited, deciding takes {asked_policy(payload).in_words}"
        raise _refused(approval, Rule.POLICY, f"{words}; {_INSTEAD}")


def _refused(approval: Approval, rule: Rule, words: str) -> DecisionRefused:
    return DecisionRefused(str(approval.id), str(Refusal(rule=rule, words=words)))
