"""The plan of `generate_report`."""

from collections.abc import Mapping

from pydantic import BaseModel

from maos.datasets import DatasetFacts, ReportShape
from maos.engines import EngineType
from maos.plans import Plan, PlanStep
from maos.report_parameters import AggregateParameters, NarrativeParameters, ProfileParameters, PublishParameters
from maos.requests import GenerateReportRequest

_FIGURES = {"profile": "profile_data", "metrics": "aggregate_metrics"}


def report_plan(request: GenerateReportRequest, facts: DatasetFacts, shape: ReportShape) -> Plan:
    """Return the steps of a report: figures first, then charts and words side by side, then publication."""
    profile = ProfileParameters(dataset=request.dataset, digest=facts.sha256)
    aggregate = AggregateParameters(**profile.model_dump(), **shape.model_dump())
    publish = PublishParameters(title=request.title)
    return Plan(
        steps=(
            _step("profile_data", "analyst", profile),
            _step("aggregate_metrics", "analyst", aggregate, {"profile": "profile_data"}),
            _step("draw_charts", "analyst", None, {"metrics": "aggregate_metrics"}),
            _step("write_narrative", "author", NarrativeParameters(), _FIGURES, engine=EngineType.CLAUDE_CLI),
            _step(
                "publish_report",
                "publisher",
                publish,
                {**_FIGURES, "charts": "draw_charts", "narrative": "write_narrative"},
            ),
        )
    )


def _step(
    action: str,
    agent: str,
    parameters: BaseModel | None,
    inputs: Mapping[str, str] | None = None,
    *,
    engine: EngineType = EngineType.INTERNAL_SERVICE,
) -> PlanStep:
    """Return a step that is called like its action."""
    return PlanStep(
        id=action,
        agent=agent,
        engine=engine,
        action=action,
        parameters=parameters.model_dump(mode="json") if parameters else {},
        inputs=inputs or {},
    )
