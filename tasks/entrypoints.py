"""The approved entrypoints: what each is asked, and how its plan is made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from maos.content_plan import content_plan
from maos.content_request import GenerateContentRequest
from maos.engines import EngineType
from maos.image_request import CreateImageRequest
from maos.mail_request import ProcessEmailRequest
from maos.plans import Plan
from maos.requests import AnalyzeDataRequest, GenerateReportRequest, RunRequest
from maos.workflow_request import RunWorkflowRequest
from tasks.analyses import plan_analysis
from tasks.correspondents import plan_mail
from tasks.illustrations import plan_images
from tasks.reports import plan_report
from tasks.workflows import plan_workflow


@dataclass(frozen=True)
class Entrypoint:
    """An approved entrypoint."""

    request: type[RunRequest]
    # Any: each plan function takes its own request model, which stands beside it.
    plan: Callable[[Any], Plan]
    deployment: str
    # Engines of steps that outcomes add: whether they have keys decides, too, whether a run is a rehearsal.
    adds: frozenset[EngineType] = frozenset()


ENTRYPOINTS: dict[str, Entrypoint] = {
    "generate_report": Entrypoint(GenerateReportRequest, plan_report, "generate-report/generate-report"),
    "analyze_data": Entrypoint(AnalyzeDataRequest, plan_analysis, "analyze-data/analyze-data"),
    "process_email": Entrypoint(
        ProcessEmailRequest, plan_mail, "process-email/process-email", frozenset({EngineType.CLAUDE_CLI})
    ),
    "generate_content": Entrypoint(GenerateContentRequest, content_plan, "generate-content/generate-content"),
    "run_workflow": Entrypoint(RunWorkflowRequest, plan_workflow, "run-workflow/run-workflow"),
    "create_image": Entrypoint(CreateImageRequest, plan_images, "create-image/create-image"),
}


def plan_of(name: str, request: RunRequest) -> Plan:
    """Return the plan of a request, with no more steps at once than it asks for.

    Raises:
        BadInput: when the request names what cannot be planned.
    """
    plan: Plan = ENTRYPOINTS[name].plan(request)
    if request.parallelism is None:
        return plan
    return plan.model_copy(update={"parallelism": min(request.parallelism, plan.parallelism)})


def engines_added_by(name: str) -> frozenset[EngineType]:
    """Return the engines of steps that outcomes of an entrypoint's runs may add."""
    return ENTRYPOINTS[name].adds if name in ENTRYPOINTS else frozenset()
