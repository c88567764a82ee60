from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from maos.approval_policy import ApprovalPolicy
from maos.approval_view import approvals_as_markdown, parameters_as_markdown
from maos.approvals import Approval, ApprovalKind, Decision, DecisionPath, approval_payload
from maos.canonical import digest_of
from maos.decisions import DecisionRequest, Reviewer, refusal_of
from maos.engines import EngineType
from maos.plans import Agent, PlanStep
from maos.risk import RiskLevel
from maos.statuses import ApprovalStatus

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ANY_ID = UUID(int=1)


def _approval(**changes: object) -> Approval:
    fields: dict[str, object] = {
        "id": ANY_ID,
        "org_id": ANY_ID,
        "run_id": ANY_ID,
        "step_id": "publish_report",
        "action": "publish_report",
        "engine": EngineType.INTERNAL_SERVICE,
        "title": "Publish the report.",
        "preview": "The report.",
        "payload": {},
        "digest": "0" * 64,
        "risk": RiskLevel.HIGH,
        "cost_ceiling_usd": Decimal("0.50"),
        "policy": ApprovalPolicy(),
        "initiator": "author@demo.example",
        "started_at": NOW - timedelta(hours=1),
        "expires_at": NOW + timedelta(hours=1),
        "status": ApprovalStatus.PENDING,
    }
    return Approval.model_validate(fields | changes)


def _request(decision: str = "approve", reviewer: str = "reviewer@demo.example", **fields: object) -> DecisionRequest:
    return DecisionRequest.model_validate(
        {"decision": decision, "reviewer": reviewer, "via": DecisionPath.FORM, **fields}
    )


def _refused(approval: Approval, request: DecisionRequest, *, roles: set[str], now: datetime) -> str | None:
    reviewer = Reviewer(email=request.reviewer, roles=frozenset(roles))
    refusal = refusal_of(approval, request, reviewer, votes=(), now=now)
    return refusal.words if refusal else None


def test_a_reviewer_may_approve() -> None:
    assert _refused(_approval(), _request(), roles={"reviewer"}, now=NOW) is None


@pytest.mark.parametrize(
    ("request_", "roles", "now", "reason"),
    [
        (_request(), {"reviewer"}, NOW + timedelta(hours=1), "expired at 2026-11-20 13:00 UTC"),
        (_request(reviewer="x@y.z"), set(), NOW, "x@y.z is not a member of this organisation"),
        (_request(), {"author"}, NOW, "reviewer@demo.example has role author; deciding takes owner or reviewer"),
        (_request(reviewer="author@demo.example"), {"owner"}, NOW, "may not decide its approvals"),
        (_request("reject"), {"reviewer"}, NOW, "rejecting takes a note that says why"),
        (_request("reject", note="  "), {"reviewer"}, NOW, "rejecting takes a note that says why"),
    ],
)
def test_each_rule_refuses_in_its_own_words(
    request_: DecisionRequest, roles: set[str], now: datetime, reason: str
) -> None:
    assert reason in (_refused(_approval(), request_, roles=roles, now=now) or "")


def test_an_organisation_may_allow_self_approval() -> None:
    approval = _approval(policy=ApprovalPolicy(self_approval=True))

    assert _refused(approval, _request(reviewer="author@demo.example"), roles={"owner"}, now=NOW) is None


IN_DOUBT = _approval(kind=ApprovalKind.IN_DOUBT)
DRIFTED = _approval(kind=ApprovalKind.NEEDS_DECISION)
ONLY_PINNED = _approval(kind=ApprovalKind.NEEDS_DECISION, payload={"choices": ["pinned"]})
# What a step is given is no offer of choices.
NAMED_SO = _approval(payload={"choices": ["again"]})


@pytest.mark.parametrize(
    ("approval", "choice", "refusal"),
    [
        (_approval(), None, None),
        (_approval(), "again", "this approval offers no choice; leave 'again' out"),
        (_approval(), "", "this approval offers no choice; leave '' out"),
        (NAMED_SO, "again", "this approval offers no choice; leave 'again' out"),
        (IN_DOUBT, "again", None),
        (IN_DOUBT, "done", None),
        (IN_DOUBT, None, "approving takes a choice: again or done"),
        (IN_DOUBT, "", "approving takes a choice: again or done"),
        (IN_DOUBT, "AGAIN", "approving takes a choice: again or done"),
        (IN_DOUBT, "pinned", "approving takes a choice: again or done"),
        (DRIFTED, "pinned", None),
        (DRIFTED, "rebuild", None),
        (DRIFTED, None, "approving takes a choice: pinned or rebuild"),
        (ONLY_PINNED, "pinned", None),
        (ONLY_PINNED, "rebuild", "approving takes a choice: pinned"),
    ],
)
def test_approving_takes_one_of_the_choices_that_are_offered(
    approval: Approval, choice: str | None, refusal: str | None
) -> None:
    assert _refused(approval, _request(choice=choice), roles={"reviewer"}, now=NOW) == refusal


@pytest.mark.parametrize("approval", [_approval(), IN_DOUBT, DRIFTED])
@pytest.mark.parametrize("choice", [None, "again", "nonsense"])
def test_rejecting_takes_no_choice(approval: Approval, choice: str | None) -> None:
    request = _request("reject", note="Not now.", choice=choice)

    assert _refused(approval, request, roles={"reviewer"}, now=NOW) is None


@pytest.mark.parametrize("approval", [IN_DOUBT, DRIFTED])
def test_a_choice_bends_no_other_rule(approval: Approval) -> None:
    request = _request(reviewer="author@demo.example", choice=approval.choices[0])

    refusal = _refused(approval, request, roles={"owner"}, now=NOW)

    assert refusal == "author@demo.example started the run and may not decide its approvals"


STEP = PlanStep(
    id="send", agent=Agent(name="clerk"), engine=EngineType.INTERNAL_SERVICE, action="send", inputs={"text": "draft"}
)


def _payload(**changes: object) -> str:
    fields: dict[str, object] = {
        "step": STEP,
        "parameters": {"to": "a@b.c"},
        "inputs": {"text": {"body": "Dear all"}},
        "plan_digest": "p",
        "rules_digest": "r",
    } | changes
    return digest_of(approval_payload(fields.pop("step"), **fields))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"step": STEP.model_copy(update={"id": "other"})},
        {"step": STEP.model_copy(update={"agent": Agent(name="other")})},
        {"step": STEP.model_copy(update={"agent": Agent(name="clerk", persona="Careless.")})},
        {"step": STEP.model_copy(update={"engine": EngineType.CLAUDE_CLI})},
        {"step": STEP.model_copy(update={"action": "other"})},
        {"parameters": {"to": "a@b.d"}},
        {"parameters": {}},
        {"inputs": {"text": {"body": "Dear all!"}}},
        {"inputs": {}},
        {"plan_digest": "q"},
        {"rules_digest": "s"},
    ],
)
def test_any_change_of_what_would_run_changes_what_was_approved(change: dict[str, object]) -> None:
    assert _payload(**change) != _payload()


def test_the_reviewer_reads_risk_cost_expiry_and_why_the_last_answer_was_refused() -> None:
    text = approvals_as_markdown([_approval()], refusal="a wrong | reason")

    assert "high" in text
    assert "0.5 USD" in text
    assert "2026-11-20 13:00 UTC" in text
    assert "The report." in text
    assert text.startswith("> **Your last answer was refused:** `a wrong \\| reason`")


def test_values_in_a_preview_cannot_leave_their_cell() -> None:
    table = parameters_as_markdown({"to": "x` | <b>y</b>\n# z"})

    assert table.count("\n") == 2
    assert table.splitlines()[-1].startswith("| to | `")
    assert "`" not in table.splitlines()[-1].split("`", 1)[1][:-3]


@pytest.mark.parametrize("decision", Decision)
def test_an_action_runs_after_approve_and_edit_alone(decision: Decision) -> None:
    assert decision.approves is (decision.value in {"approve", "edit"})
