"""What the Prefect UI shows of a plan: its table once, and its picture as the run goes on."""

import base64
import time
from collections.abc import Mapping
from uuid import UUID

from prefect import get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterKey

from blocks.prefect_api import hasty_prefect_api
from maos.errors import StackError
from maos.plan_graph import svg_of
from maos.plan_looks import StepLook
from maos.plan_view import Asking, dollars, plan_rows, total_ceiling
from maos.plans import Plan
from maos.policy import PolicyBook
from maos.rules import Rules
from maos.runs import Run
from tasks.catalogue import actions
from tasks.ceilings import planned_ceilings

_SHORTEST_PAUSE_SECONDS = 1.0
_PAUSE_AFTER_FAILURE_SECONDS = 30.0


def show_plan(run: Run, rules: Rules, policies: PolicyBook) -> None:
    """Publish the plan as a table."""
    asking = Asking(autonomy=run.autonomy, initiator=run.initiator, rules=rules, policies=policies)
    ceilings = planned_ceilings(run.plan, org_id=run.org_id, rehearsal=run.rehearsal)
    rows = plan_rows(run.plan, actions(), asking, ceilings)
    cells = [
        row.model_dump(mode="json", exclude={"risk", "may_rise", "after", "ceiling_usd"})
        | {"risk": row.risk_in_words, "after": ", ".join(row.after), "USD at most": dollars(row.ceiling_usd)}
        for row in rows
    ]
    facts = [f"Plan `{run.plan_digest[:12]}`", run.autonomy.value, *(["rehearsal"] if run.rehearsal else [])]
    description = f"{', '.join(facts)}, {dollars(total_ceiling(rows))} USD at most"
    create_table_artifact(cells, key=f"{run.org}-plan", description=description)


class PlanPicture:
    """The picture of a run's plan: one artifact of its flow run, drawn anew as the run goes on.

    The run never fails for its picture: an API that is away costs a warning.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._key = f"{run.org}-plan-graph"
        self._artifact: UUID | None = None
        self._shown: str | None = None
        self._next = 0.0

    def show(self, plan: Plan, looks: Mapping[str, StepLook], *, last: bool = False) -> None:
        """Publish the picture if it has changed and the last one was not published just now.

        Args:
            last: publish it even so, because no later call may follow.
        """
        svg = svg_of(plan, looks, actions(), title=self._run.title)
        now = time.monotonic()
        if svg == self._shown or (now < self._next and not last):
            return
        self._next = now + _SHORTEST_PAUSE_SECONDS
        try:
            with hasty_prefect_api() as client:
                self._publish(client, _as_address(svg))
        except StackError as error:
            # Looked up anew the next time: nobody knows what became of it.
            self._artifact, self._next = None, now + _PAUSE_AFTER_FAILURE_SECONDS
            get_run_logger().warning("the picture of the plan was not published: %s", error)
            return
        self._shown = svg

    def _publish(self, client: SyncPrefectClient, image: str) -> None:
        self._artifact = self._artifact or self._published(client)
        if self._artifact:
            client.update_artifact(self._artifact, ArtifactUpdate(data=image))
            return
        artifact = ArtifactCreate(key=self._key, type="image", description="Plan", data=image, flow_run_id=self._run.id)
        self._artifact = client.create_artifact(artifact).id

    def _published(self, client: SyncPrefectClient) -> UUID | None:
        """Return the artifact that an earlier process of the run has made."""
        asked = ArtifactFilter(
            key=ArtifactFilterKey(any_=[self._key]), flow_run_id=ArtifactFilterFlowRunId(any_=[self._run.id])
        )
        found = client.read_artifacts(artifact_filter=asked, limit=1)
        return found[0].id if found else None


def _as_address(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
