"""The plan of `generate_report`."""

from maos.datasets import DatasetFacts, ReportShape
from maos.longest_data import longest_narrated_data
from maos.plan_steps import service_step, writer_step
from maos.plans import Agent, Plan
from maos.report_parameters import (
    MOST_DATA_BYTES,
    AggregateParameters,
    FurtherFile,
    NarrativeParameters,
    ProfileParameters,
    PublishParameters,
)
from maos.requests import GenerateReportRequest

_FIGURES = {"profile": "profile_data", "metrics": "aggregate_metrics"}
_ANALYST = Agent(name="analyst", persona="You are a data analyst who counts before anybody speaks.")
_AUTHOR = Agent(name="author", persona="You write for people who decide and have little time.")
_PUBLISHER = Agent(name="publisher", persona="You let out only what has been approved.")


def report_plan(request: GenerateReportRequest, facts: DatasetFacts, shape: ReportShape) -> Plan:
    """Return the steps of a report: figures first, then charts and words side by side, then publication."""
    further = tuple(FurtherFile(dataset=file.source, digest=file.sha256) for file in facts.files[1:])
    profile = ProfileParameters(dataset=request.dataset, digest=facts.sha256, further=further)
    aggregate = AggregateParameters(**profile.model_dump(), **shape.model_dump(), compare=request.compare)
    narrative = NarrativeParameters(most_data_bytes=min(longest_narrated_data(facts, shape), MOST_DATA_BYTES))
    return Plan(
        steps=(
            service_step("profile_data", _ANALYST, "Figures", profile),
            service_step("aggregate_metrics", _ANALYST, "Figures", aggregate, profile="profile_data"),
            service_step("draw_charts", _ANALYST, "Charts and words", None, metrics="aggregate_metrics"),
            writer_step("write_narrative", _AUTHOR, "Charts and words", narrative, **_FIGURES),
            service_step(
                "publish_report",
                _PUBLISHER,
                "Publication",
                PublishParameters(title=request.title),
                **_FIGURES,
                charts="draw_charts",
                narrative="write_narrative",
            ),
        )
    )
