"""Every path to a decision under every rule: the same refusals, and nothing written where one refuses."""

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from console.decisions import decide_and_resume
from flows.approvals import _submit
from flows.forms import ApprovalForm, FormDecision
from maos.approval_policy import ApprovalPolicy, DecidingRole, Group, Stage
from maos.approvals import Approval, ApprovalKind, Decision, DecisionPath
from maos.decisions import DecisionRequest, Rule
from maos.errors import DecisionRefused, MaosError
from maos.statuses import ApprovalStatus
from sql.approvals import approval_of, approval_row, find_approval
from sql.session import system_session
from tasks.approvals import decide, decide_alike, identify_for
from tasks.ledger import find_run
from tests.gates import REVIEWER, rows
from tests.rows import add_approval, add_run

OWNER = "owner@demo.example"
AUTHOR = "author@demo.example"


def _by_ledger(approval: Approval, request: DecisionRequest) -> str | None:
    return _reason(lambda: decide(approval.id, request))


def _by_command_line(approval: Approval, request: DecisionRequest) -> str | None:
    return _reason(lambda: decide_and_resume(approval.id, request))


def _by_bulk(approval: Approval, request: DecisionRequest) -> str | None:
    request = request.model_copy(update={"via": DecisionPath.BULK})

    def decide_all() -> None:
        identity = identify_for({approval.id: request}, org_id=approval.org_id)
        answer = decide_alike({approval.id: request.seen or approval.digest}, request, identity=identity)[approval.id]
        if isinstance(answer, MaosError):
            raise answer

    return _reason(decide_all)


def _by_form(approval: Approval, request: DecisionRequest) -> str | None:
    run = find_run(approval.run_id) if approval.run_id else None
    assert run is not None
    form = ApprovalForm(
        decision=request.decision.value.replace("_", " ") + (f": {request.choice}" if request.choice else ""),
        reviewer=request.reviewer,
        code=request.code or "",
        note=request.note or "",
        edited=json.dumps(request.edited) if request.edited else "",
    )
    seen = run.model_copy(update={"gate_shown": {str(approval.id): request.seen or approval.digest}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.approvals.get_run_logger", lambda: _Silent())
        return _submit(form, seen, [approval])


class _Silent:
    def warning(self, *_: object) -> None: ...


def _reason(act: Callable[[], object]) -> str | None:
    try:
        act()
    except DecisionRefused as refused:
        return refused.reason
    return None


def _by_plan(approval: Approval, request: DecisionRequest) -> str | None:
    """Decide it as the approval of a whole plan, through its form."""
    with system_session() as session:
        row = approval_row(approval.id, session=session)
        row.kind, row.payload = ApprovalKind.PLAN, {"covers": []}
        session.add(row)
        session.flush()
        asked = approval_of(row)
    return _by_form(asked, request)


PATHS = [_by_ledger, _by_command_line, _by_form, _by_bulk, _by_plan]
FINANCE = ApprovalPolicy(stages=(Stage(name="finance", groups=(Group(roles=frozenset({DecidingRole.OWNER})),)),))


def _row(policy: ApprovalPolicy | None = None, **columns: object) -> dict[str, object]:
    return columns | ({"policy": policy.model_dump(mode="json")} if policy else {})


def _asks(decision: str = "approve", reviewer: str = REVIEWER, **fields: object) -> DecisionRequest:
    return DecisionRequest.model_validate({"decision": decision, "reviewer": reviewer, "via": "form", **fields})


PAST = datetime.now(UTC) - timedelta(minutes=5)
CASES: dict[Rule, tuple[dict[str, object], DecisionRequest]] = {
    Rule.EXPIRED: (_row(expires_at=PAST), _asks()),
    Rule.MEMBER: (_row(), _asks(reviewer="stranger@else.example")),
    Rule.ROLE: (_row(initiator_id="somebody@demo.example"), _asks(reviewer=AUTHOR)),
    Rule.NAMED: (_row(ApprovalPolicy(users=frozenset({OWNER}))), _asks()),
    Rule.SELF: (_row(initiator_id=REVIEWER), _asks()),
    Rule.STAGE: (_row(FINANCE), _asks()),
    Rule.CODE: (_row(ApprovalPolicy(codes_required=True)), _asks()),
    Rule.REASON: (_row(), _asks("reject")),
    Rule.KIND: (_row(), _asks("respond", note="42")),
    Rule.SCHEMA: (_row(), _asks("edit", edited={"nonsense": 1})),
    Rule.SEEN: (_row(), _asks(seen="f" * 64)),
    Rule.CHOICE: (_row(kind="in_doubt"), _asks()),
    Rule.TEXT: (_row(), _asks("reject", note="\x00")),
}

# A plan offers no choices, and has no parameters of its own.
MATRIX = [
    (path, rule) for path in PATHS for rule in CASES if path is not _by_plan or rule not in {Rule.SCHEMA, Rule.CHOICE}
]
_DECIDED = "SELECT status, version, decided_by, decision, stage, revision, digest FROM agent_pending_actions"


@pytest.fixture
def _asleep(monkeypatch: pytest.MonkeyPatch) -> None:
    # No Prefect here: what wakes a run is proved elsewhere.
    monkeypatch.setattr("console.decisions.wake_run_of", lambda *_: True)
    monkeypatch.setattr("console.decisions.mend_runs", lambda _run_ids: None)


def _asked(org_id: UUID, columns: dict[str, object]) -> Approval:
    payload = {"parameters": {"text": "x"}}
    approval_id = add_approval(org_id, add_run(org_id), payload=payload, **columns)
    with system_session() as session:
        approval = find_approval(approval_id, session=session)
    assert approval is not None
    return approval


@pytest.mark.usefixtures("_asleep")
@pytest.mark.parametrize(("path", "rule"), MATRIX, ids=lambda each: getattr(each, "__name__", each))
def test_every_rule_refuses_on_every_path(org_id: UUID, path: Callable[..., str | None], rule: Rule) -> None:
    columns, request = CASES[rule]
    approval = _asked(org_id, columns)
    before = rows(_DECIDED)

    reason = path(approval, request)

    assert f"(rule: {rule.value})" in str(reason)
    assert rows(_DECIDED) == before
    assert rows("SELECT count(*) FROM agent_action_votes") == [(0,)]


@pytest.mark.usefixtures("_asleep")
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_every_path_decides_once(org_id: UUID, path: Callable[..., str | None], decision: str) -> None:
    approval = _asked(org_id, {})

    assert path(approval, _asks(decision, note="why")) is None
    again = path(approval, _asks(decision, reviewer=OWNER, note="why"))

    assert f"by {REVIEWER} at" in str(again)
    assert f"(rule: {Rule.DECIDED.value})" in str(again)
    ((status, by, verified),) = rows("SELECT status, decided_by, identity_verified FROM agent_pending_actions")
    assert (status, by, verified) == ({"approve": "approved", "reject": "rejected"}[decision], REVIEWER, False)


@pytest.mark.usefixtures("_asleep")
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
def test_every_path_votes_once_where_it_takes_two(org_id: UUID, path: Callable[..., str | None]) -> None:
    policy = ApprovalPolicy(stages=(Stage(groups=(Group(needed=2),)),))
    approval = _asked(org_id, _row(policy))

    assert path(approval, _asks()) is None
    assert f"(rule: {Rule.VOTED.value})" in str(path(approval, _asks()))
    assert rows("SELECT status FROM agent_pending_actions") == [("pending",)]
    assert path(approval, _asks(reviewer=OWNER)) is None
    assert rows("SELECT status, decided_by FROM agent_pending_actions") == [(ApprovalStatus.APPROVED.value, OWNER)]


NOTES = [
    "{{ 7 * 7 }}",
    "{% raw %}",
    "<script>alert(1)</script>",
    "x" * 2000,
    "\u202e\U0001f9e8 \u00e9",
    "'; DROP TABLE users; --",
    '{"__prefect_kind": "jinja", "template": "{{ 7 * 7 }}"}',
]


@pytest.mark.usefixtures("_asleep")
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
@pytest.mark.parametrize("note", NOTES, ids=range(len(NOTES)))
def test_a_note_is_data_on_every_path(org_id: UUID, path: Callable[..., str | None], note: str) -> None:
    approval = _asked(org_id, {})

    assert path(approval, _asks("reject", note=note)) is None

    ((kept,),) = rows("SELECT note FROM agent_pending_actions")
    assert kept == note
    assert Decision.REJECT.value == rows("SELECT decision FROM agent_pending_actions")[0][0]


# A lone surrogate stands escaped: the form itself takes no other.
_PIECES = [
    *('{"text": "x"}', "{", "[" * 5000, "null", '{"text": NaN}', '{"text": {"a": 1e999}}', '{"text": "\\ud800"}'),
    *("{{ 7 * 7 }}", "{% for %}", "<img src=x onerror=alert(1)>", "\x00", "\u202e", "x" * 1999, "act", "'--"),
    '{"__prefect_kind": "json", "value": "1"}',
]


@pytest.mark.parametrize("seed", range(80))
def test_whatever_is_typed_into_a_form_decides_as_it_says_or_changes_nothing(org_id: UUID, seed: int) -> None:
    choose = random.Random(seed)  # noqa: S311 - of a test
    approval = _asked(org_id, {})
    run = find_run(approval.run_id) if approval.run_id else None
    assert run is not None
    typed = {
        "decision": choose.choice([each.value for each in FormDecision]),
        "reviewer": choose.choice([REVIEWER, OWNER, AUTHOR, "", *_PIECES])[:254],
        "code": choose.choice(["", "", "123456", "\x00"]),
        "note": choose.choice(["", "why", *_PIECES])[:2000],
        "edited": choose.choice(["", *_PIECES]),
        "other_decisions": [
            {"step": choose.choice(["act", "other", *_PIECES]), "decision": "reject", "note": choose.choice(["", "no"])}
            for _ in range(choose.choice([0, 0, 1]))
        ],
    }
    before = rows(_DECIDED)
    seen = run.model_copy(update={"gate_shown": {str(approval.id): approval.digest}})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flows.approvals.get_run_logger", lambda: _Silent())
        refusal = _submit(ApprovalForm.model_validate(typed), seen, [approval])

    if refusal or typed["decision"] == "already recorded":
        assert rows(_DECIDED) == before
        assert rows("SELECT count(*) FROM agent_action_votes") == [(0,)]
        return
    ((status, by, decision),) = rows("SELECT status, decided_by, decision FROM agent_pending_actions")
    assert by in {REVIEWER, OWNER}
    # A choice is for those actions that offer one.
    said = "reject" if typed["other_decisions"] else str(typed["decision"]).partition(":")[0]
    assert (status, decision) == ("approved" if said == "approve" else "rejected", said)
