"""Publishes a report: one HTML page and its Markdown twin in the run's folder."""

from pydantic import BaseModel, ConfigDict

from maos.actions import ArtifactRef, StepOutcome
from maos.charts import ChartSet
from maos.effects import Effect, EffectKind
from maos.metrics import DatasetProfile, Metrics
from maos.narrative import Narrative
from maos.report import Report, ReportChart, ReportRun
from maos.report_html import html_of
from maos.report_markdown import markdown_of, preview_of
from maos.report_parameters import PublishParameters
from maos.report_secrecy import discreet_report
from maos.risk import RiskLevel
from tasks.files import read_file, write_file
from tasks.secrecy import redaction
from tasks.services.registry import ServiceCall, internal_service

PAGE = "published/report.html"
TWIN = "published/report.md"


class PublishedReport(BaseModel):
    """Where a report was published."""

    model_config = ConfigDict(frozen=True)

    title: str
    page: ArtifactRef
    twin: ArtifactRef


def preview(call: ServiceCall[PublishParameters]) -> str:
    """Return what a reviewer is asked to let out, in Markdown."""
    return preview_of(_report_of(call), places=(PAGE, TWIN))


@internal_service(
    action="publish_report",
    risk=RiskLevel.HIGH,
    title="Publish the report as a page and as Markdown in the run's folder.",
    parameters=PublishParameters,
    inputs={"profile": DatasetProfile, "metrics": Metrics, "charts": ChartSet, "narrative": Narrative},
    output=PublishedReport,
    # The same bytes at a place made from ids.
    effect=Effect(kind=EffectKind.PUBLISH, repeatable=True),
    preview=preview,
)
def publish_report(call: ServiceCall[PublishParameters]) -> StepOutcome:
    """Write the report; doing it again writes the same bytes."""
    report = _report_of(call)
    page = write_file(call.folder, PAGE, html_of(report).encode(), "text/html")
    twin = write_file(call.folder, TWIN, markdown_of(report).encode(), "text/markdown")
    return StepOutcome(
        output=PublishedReport(title=report.title, page=page, twin=twin).model_dump(mode="json"),
        summary=f"Published the report as {PAGE} and {TWIN}.",
        artifacts=(page, twin),
    )


def _report_of(call: ServiceCall[PublishParameters]) -> Report:
    inputs = call.inputs
    report = Report(
        title=call.parameters.title,
        note=call.parameters.note,
        run=ReportRun.model_validate(call.run, from_attributes=True),
        profile=DatasetProfile.model_validate(inputs["profile"]),
        metrics=Metrics.model_validate(inputs["metrics"]),
        narrative=Narrative.model_validate(inputs["narrative"]),
        charts=tuple(
            ReportChart(title=chart.title, alt=chart.alt, svg=read_file(call.folder, chart.svg).decode())
            for chart in ChartSet.model_validate(inputs["charts"]).charts
        ),
    )
    return discreet_report(report, redaction())
