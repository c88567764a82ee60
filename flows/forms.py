"""The Resume form of a run that waits: what a reviewer may answer, and the requests that an answer comes to."""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from uuid import UUID

from prefect.input import RunInput
from pydantic import BaseModel, Field

from maos.actions import JsonObject
from maos.approvals import Approval, Decision, DecisionPath
from maos.decisions import NOTE_LIMIT, DecisionRequest, Refusal, Rule
from maos.errors import DecisionRefused

_LONGEST_EDIT = 200_000


class FormDecision(StrEnum):
    """What the form may say; the last is what the command line sends after it decided in the ledger.

    With a choice where the action offers some: a field of its own would take the place of what is to be read.
    """

    APPROVE = "approve"
    REJECT = "reject"
    EDIT = "edit"
    RESPOND = "respond"
    REQUEST_CHANGES = "request changes"
    AGAIN = "approve: again"
    DONE = "approve: done"
    PINNED = "approve: pinned"
    REBUILD = "approve: rebuild"
    RECORDED = "already recorded"

    @property
    def decision(self) -> Decision:
        """The decision that it stands for."""
        return Decision(self.value.partition(":")[0].replace(" ", "_"))

    @property
    def choice(self) -> str | None:
        """What it chooses, where it does."""
        return self.value.partition(": ")[2] or None


# Text, not an object: the server would take an object for a template or a variable of its own.
_NOTE_FIELD = "Needed unless you approve or edit: why, answer, or changes."
_EDIT_FIELD = 'the parameters that change, as {"subject": "Figures of May"}.'


class ActionDecision(BaseModel):
    """The decision of one action, where it differs from the others."""

    step: str = Field(description="The step, as shown above.")
    decision: FormDecision
    note: str = Field(default="", max_length=NOTE_LIMIT, description="Empty: the note of all.")
    edited: str = Field(default="", max_length=_LONGEST_EDIT, description=f"To edit: {_EDIT_FIELD}")


class ApprovalForm(RunInput):
    """What a reviewer answers; untrusted until `decide` accepts it."""

    decision: FormDecision = Field(description="Of every action above.")
    reviewer: str = Field(max_length=254, description="Your email address.")
    code: str = Field(default="", max_length=20, description="Your one-time code, where you have one enrolled.")
    note: str = Field(default="", max_length=NOTE_LIMIT, description=_NOTE_FIELD)
    edited: str = Field(default="", max_length=_LONGEST_EDIT, description=f"To edit: {_EDIT_FIELD}")
    other_decisions: list[ActionDecision] = Field(default_factory=list, description="Of actions decided differently.")


def requests_of(
    answer: ApprovalForm, shown: Sequence[Approval], *, seen: Mapping[UUID, str]
) -> dict[UUID, DecisionRequest]:
    """Return what an answer asks to decide of each action that its form has shown.

    Args:
        seen: digest of the payload that was shown, by approval.

    Raises:
        DecisionRefused: when it names a step that was not shown, or an edit is no JSON object.
    """
    steps = {approval.step_id for approval in shown}
    if strangers := sorted({each.step for each in answer.other_decisions} - steps):
        allowed = ", ".join(sorted(steps)) or "none"
        raise _refused(Rule.SEEN, f"other_decisions: step {', '.join(strangers)} is not shown; allowed: {allowed}")
    return {approval.id: _request(answer, approval, seen[approval.id]) for approval in shown}


def _request(answer: ApprovalForm, approval: Approval, seen: str) -> DecisionRequest:
    other = next((each for each in answer.other_decisions if each.step == approval.step_id), None)
    said = other.decision if other else answer.decision
    if said is FormDecision.RECORDED:
        raise _refused(Rule.KIND, "only the command line says that a decision is already recorded")
    note = (other.note if other else "") or answer.note
    return DecisionRequest(
        decision=said.decision,
        reviewer=answer.reviewer.strip().lower(),
        note=note or None,
        code=answer.code.strip() or None,
        # One form for all: a choice that is meant for another action is not held against this one.
        choice=said.choice if approval.choices else None,
        edited=_edit(other.edited if other else answer.edited) if said is FormDecision.EDIT else None,
        seen=seen,
        via=DecisionPath.FORM,
    )


def _edit(text: str) -> JsonObject:
    try:
        parsed = json.loads(text or "{}")
    except ValueError as error:
        raise _refused(Rule.SCHEMA, f"edited: it is no JSON: {error}") from None
    except RecursionError:
        raise _refused(Rule.SCHEMA, "edited: it nests too deeply") from None
    if not isinstance(parsed, dict) or not parsed:
        raise _refused(Rule.SCHEMA, "edited: a JSON object with the parameters that change, at least one")
    return parsed


def _refused(rule: Rule, words: str) -> DecisionRefused:
    return DecisionRefused("the form", str(Refusal(rule=rule, words=words)))
