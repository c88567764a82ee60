"""What the Prefect UI shows of a plan, on a real Prefect server."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx
import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import Artifact

from maos.autonomy import AutonomyLevel
from maos.plan_looks import StepLook
from maos.plans import Plan
from maos.policy import PolicyBook
from maos.rules import Rules
from maos.runs import GateKind, Run
from maos.statuses import RunStatus
from tasks.plan_artifacts import PlanPicture, show_plan

PLAN = Plan.model_validate(
    {
        "steps": [
            {
                "id": "draw",
                "agent": "analyst",
                "engine": "internal_service",
                "action": "draw_charts",
                "phase": "Make",
            },
            {"id": "write", "agent": "author", "engine": "claude_cli", "action": "write_narrative"},
            {
                "id": "publish",
                "agent": "publisher",
                "engine": "internal_service",
                "action": "publish_report",
                "after": ["draw", "write"],
            },
        ]
    }
)


@flow
def idle() -> None:
    """Stands for a run."""


@pytest.fixture
def run(prefect_api: str) -> Run:  # noqa: ARG001 - Prefect's settings name it
    with get_client(sync_client=True) as client:
        return run_of(client.create_flow_run(idle).id)


def run_of(run_id: UUID) -> Run:
    return Run(
        id=run_id,
        org_id=uuid4(),
        org="demo",
        title="Orders",
        initiator="author@demo.example",
        entrypoint="generate_report",
        request={},
        plan=PLAN,
        plan_digest=PLAN.digest,
        rules_digest="0" * 64,
        pins={},
        autonomy=AutonomyLevel.SEMI_AUTONOMOUS,
        read_only_exempt=False,
        rehearsal=True,
        status=RunStatus.EXECUTING,
        attempt=1,
        gate_round=1,
        gate_kind=GateKind.APPROVALS,
        gate_refusal=None,
        held_by=None,
        epoch=1,
        parent_run_id=None,
        started_at=datetime(2026, 11, 20, 12, tzinfo=UTC),
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    now = [1000.0]
    monkeypatch.setattr("tasks.plan_artifacts.time.monotonic", lambda: now[0])
    return now


def artifacts_of(run: Run) -> list[Artifact]:
    asked = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
    with get_client(sync_client=True) as client:
        return client.read_artifacts(artifact_filter=asked)


def drawn(artifact: Artifact) -> str:
    kind, _, data = str(artifact.data).partition(",")
    assert kind == "data:image/svg+xml;base64"
    return base64.b64decode(data).decode()


def test_the_picture_is_one_artifact_that_follows_the_run(run: Run, clock: list[float]) -> None:
    picture = PlanPicture(run)
    picture.show(PLAN, {})
    clock[0] += 2
    picture.show(PLAN, {"draw": StepLook.RUNNING})

    (artifact,) = artifacts_of(run)

    assert (artifact.key, artifact.type) == ("demo-plan-graph", "image")
    assert ">running<" in drawn(artifact)


def test_the_picture_is_published_once_a_second_and_when_it_is_the_last(run: Run, clock: list[float]) -> None:
    picture = PlanPicture(run)
    picture.show(PLAN, {})
    clock[0] += 0.5
    picture.show(PLAN, {"draw": StepLook.RUNNING})
    between = drawn(*artifacts_of(run))

    picture.show(PLAN, {"draw": StepLook.COMPLETED}, last=True)

    assert ">running<" not in between
    assert ">completed<" in drawn(*artifacts_of(run))


def test_a_process_that_takes_the_run_up_goes_on_with_its_picture(run: Run) -> None:
    PlanPicture(run).show(PLAN, {})

    PlanPicture(run).show(PLAN, {"draw": StepLook.FAILED})

    assert ">failed<" in drawn(*artifacts_of(run))


def test_a_picture_that_was_deleted_is_published_anew(run: Run, clock: list[float]) -> None:
    picture = PlanPicture(run)
    picture.show(PLAN, {})
    (artifact,) = artifacts_of(run)
    with get_client(sync_client=True) as client:
        client.delete_artifact(artifact.id)

    @flow
    def going_on() -> None:
        for look in (StepLook.RUNNING, StepLook.COMPLETED):
            clock[0] += 60
            picture.show(PLAN, {"draw": look})

    going_on()

    assert ">completed<" in drawn(*artifacts_of(run))


def test_an_api_that_is_away_costs_the_picture_and_not_the_run(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def is_away(_transport: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    @flow
    def drawing() -> str:
        with monkeypatch.context() as patch:
            patch.setattr(httpx.HTTPTransport, "handle_request", is_away)
            PlanPicture(run).show(PLAN, {})
        return "went on"

    assert drawing() == "went on"
    assert artifacts_of(run) == []
    assert "the picture of the plan was not published: Prefect API: refused" in caplog.text


def test_the_table_says_who_would_be_asked_and_what_it_can_cost(run: Run) -> None:
    @flow
    def showing() -> UUID:
        from prefect.runtime import flow_run

        show_plan(run, Rules(), PolicyBook())
        return UUID(flow_run.get_id())

    (artifact,) = artifacts_of(run_of(showing()))

    assert artifact.key == "demo-plan"
    assert artifact.description == f"Plan `{PLAN.digest[:12]}`, semi_autonomous, rehearsal, 0 USD at most"
    assert '"approvers": "owner or reviewer, not author@demo.example"' in str(artifact.data)
    assert '"after": "draw, write"' in str(artifact.data)
