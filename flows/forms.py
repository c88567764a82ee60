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
    """What the form may say; the last is what the command line sends after it decided in the ledger."""

    APPROVE = "approve"
    REJECT = "reject"
    EDIT = "edit"
    RESPOND = "respond"
    REQUEST_CHANGES = "request changes"
    RECORDED = "already recorded"

    @property
    def decision(self) -> Decision:
        """The decision that it stands for."""
        return Decision(self.value.replace(" ", "_"))


class OtherDecision(StrEnum):
    """What may be decided about one of several actions."""

    APPROVE = "approve"
    REJECT = "reject"
    EDIT = "edit"
    RESPOND = "respond"
    REQUEST_CHANGES = "request changes"


class FormChoice(StrEnum):
    """What is chosen by approving an action that offers choices."""

    NONE = "none"
    AGAIN = "again"
    DONE = "done"
    PINNED = "pinned"
    REBUILD = "rebuild"


# Text, not an object: the server would take an object for a template or a variable of its own.
_EDIT_FIELD = 'A JSON object with the parameters that change, such as {"subject": "Figures of May"}.'


class ActionDecision(BaseModel):
    """The decision of one action, where it differs from the others."""

    step: str = Field(description="The step, as shown above.")
    decision: OtherDecision
    choice: FormChoice = FormChoice.NONE
    note: str = Field(default="", max_length=NOTE_LIMIT, description="Empty: the note of all.")
    edited: str = Field(default="", max_length=_LONGEST_EDIT, description=_EDIT_FIELD)


class ApprovalForm(RunInput):
    """What a reviewer answers; untrusted until `decide` accepts it."""

    decision: FormDecision = Field(
        description="Applies to every action above. All but approve and edit take a note; respond and request changes "
        "are for actions that an agent asks for."
    )
    reviewer: str = Field(max_length=254, description="Your email address.")
    code: str = Field(default="", max_length=20, description="Your one-time code, where you have one enrolled.")
    note: str = Field(default="", max_length=NOTE_LIMIT, description="Why; the answer; or which changes.")
    choice: FormChoice = Field(
        default=FormChoice.NONE, description="Only where an action above offers choices: which, when you approve."
    )
    edited: str = Field(default="", max_length=_LONGEST_EDIT, description=f"Only to edit. {_EDIT_FIELD}")
    other_decisions: list[ActionDecision] = Field(
        default_factory=list, description="Only where several actions are shown and some are decided differently."
    )


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
    decision = FormDecision(other.decision.value).decision if other else answer.decision.decision
    choice = other.choice if other else answer.choice
    note = (other.note if other else "") or answer.note
    return DecisionRequest(
        decision=decision,
        reviewer=answer.reviewer.strip().lower(),
        note=note or None,
        code=answer.code.strip() or None,
        # One form for all: a choice or edit that is meant for another action is not held against this one.
        choice=choice.value if choice is not FormChoice.NONE and approval.choices else None,
        edited=_edit(other.edited if other else answer.edited) if decision is Decision.EDIT else None,
        seen=seen,
        via=DecisionPath.FORM,
    )


def _edit(text: str) -> JsonObject:
    try:
        parsed = json.loads(text or "{}")
    except ValueError as error:
        raise _refused(Rule.SCHEMA, f"edited: it is no JSON: {error}") from None
    if not isinstance(parsed, dict) or not parsed:
        raise _refused(Rule.SCHEMA, "edited: a JSON object with the parameters that change, at least one")
    return parsed


def _refused(rule: Rule, words: str) -> DecisionRefused:
    return DecisionRefused("the form", str(Refusal(rule=rule, words=words)))
