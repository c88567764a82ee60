"""Whole runs under an exemption: what runs unasked, and asks again after one rejection or failure."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from flows.propose_exemptions import propose_exemptions as propose_exemptions_daily
from flows.report_vigilance import report_vigilance
from maos.approvals import Decision
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.learning import Exemption
from sql.tables import utc_now
from tasks.proposals import propose_exemptions
from tests.gates import REVIEWER, answer_form, pending, rows, wait_for
from tests.histories import ANN, decided, ended_because, learn_notes, signed_exemption
from tests.plans import Bench, step


@pytest.fixture
def learner(bench: Bench, org_id: UUID) -> UUID:  # noqa: ARG001 - its actions are known from here on
    """The organisation, which has learning switched on and has approved 200 notes."""
    learn_notes(org_id)
    return org_id


@pytest.fixture
def exemption(learner: UUID) -> Exemption:
    """The exemption of notes, which an owner has signed."""
    return signed_exemption(learner)


def _asked_in_turn(bench: Bench, decision: Decision = Decision.APPROVE, **fields: object) -> None:
    """Run the plan of the bench, which asks a person exactly once."""
    beside = bench.run_beside(**fields)
    (approval,) = wait_for(pending)
    assert approval.run_id is not None
    # By its form: a decision in the ledger alone wakes no run that has begun to wait.
    answer_form(approval.run_id, decision=decision.value, reviewer=REVIEWER, note="because")
    beside.end()


def test_the_exempt_step_runs_unasked_and_asks_again_after_one_rejection(bench: Bench, exemption: Exemption) -> None:
    bench.plan(step("a", "note_medium", text="first"))
    assert bench.run().is_completed()

    ((status, decided_by, decided_via, used),) = rows(
        "SELECT status, decided_by, decided_via, consumed_at IS NOT NULL FROM agent_pending_actions WHERE step_id = 'a'"
    )
    assert (status, decided_by, decided_via, used) == ("approved", exemption.name, "exemption", True)
    audited = rows("SELECT event, was_automatic, summary FROM agent_action_audit_log WHERE step_id = 'a'")
    assert {event: automatic for event, automatic, _ in audited} == {
        "approval.requested": True,
        "approval.exempted": True,
        "step.completed": True,
    }
    assert [event for event, _, summary in audited if exemption.name not in summary] == ["approval.requested"]

    # Supervised, everything asks; what is rejected there is rejected.
    bench.plan(step("b", "note_medium", text="second"))
    _asked_in_turn(bench, Decision.REJECT, autonomy="supervised")
    assert ended_because(exemption.org_id) == f"an action like it was not approved by {REVIEWER}: because"

    bench.plan(step("c", "note_medium", text="third"))
    _asked_in_turn(bench)
    assert bench.effects == ["first", "third"]
    assert rows("SELECT count(*) FROM agent_action_audit_log WHERE event = 'exemption.withdrawn'") == [(1,)]
    assert propose_exemptions(exemption.org_id) == []


def test_a_proposal_alone_lets_nothing_run(bench: Bench, learner: UUID) -> None:
    propose_exemptions(learner)
    bench.plan(step("a", "note_medium", text="asked"))

    beside = bench.run_beside()
    waiting = wait_for(lambda: [each for each in pending() if each.step_id == "a"])
    assert waiting[0].run_id is not None
    answer_form(waiting[0].run_id, decision="approve", reviewer=REVIEWER, note="because")

    assert beside.end().is_completed()


def _fail(bench: Bench, folder: Path, kind: FailureKind, *, times: int) -> None:
    tally = folder / "tally"
    tally.touch()

    def before(_name: str) -> None:
        with tally.open("a") as file:
            file.write(".")
        if len(tally.read_text()) <= times:
            raise EngineFailure(kind, "as told")

    bench.before = before


@pytest.mark.parametrize(
    ("kind", "times", "ended"),
    [
        (FailureKind.SERVICE_ERROR, 1, "an action like it failed: the engine did not deliver (service error)"),
        # The next try helps: it has not failed.
        (FailureKind.UNREACHABLE, 1, None),
    ],
)
def test_one_failure_for_good_ends_it(
    bench: Bench, exemption: Exemption, tmp_path: Path, kind: FailureKind, times: int, ended: str | None
) -> None:
    _fail(bench, tmp_path, kind, times=times)
    bench.plan(step("a", "note_medium", text="a"))

    assert bench.run().is_completed() == (ended is None)
    assert ended_because(exemption.org_id) == ended


def test_the_daily_flow_proposes_what_people_always_approve(learner: UUID) -> None:  # noqa: ARG001 - it has decided
    (said,) = propose_exemptions_daily()

    ((approval_id,),) = rows("SELECT id FROM agent_pending_actions WHERE kind = 'exemption' AND status = 'pending'")
    assert said == f"demo: note_medium (medium): text=text; approval {approval_id}"
    assert propose_exemptions_daily() == []


def test_the_weekly_flow_publishes_how_each_organisation_decided(bench: Bench, org_id: UUID) -> None:  # noqa: ARG001
    decided(org_id, 6, people=(ANN,), asked_at=utc_now() - timedelta(days=2))

    reports = report_vigilance()

    assert "| `ann@demo.example` | medium | 6 | 0 | 100% |" in reports["demo"]
    with get_client(sync_client=True) as client:
        key = ArtifactFilter(key=ArtifactFilterKey(any_=["demo-vigilance"]))
        (artifact,) = client.read_artifacts(artifact_filter=key)
    assert (artifact.type, artifact.data) == ("markdown", reports["demo"])
