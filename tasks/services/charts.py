"""Draws the charts of a report, as SVG for the page and PNG for places that show no SVG."""

from pathlib import Path

from maos.actions import StepOutcome
from maos.charts import Chart, ChartSet, ChartSpec, charts_for
from maos.metrics import Metrics
from maos.report_parameters import ChartParameters
from maos.risk import RiskLevel
from tasks.drawing import draw
from tasks.files import write_file
from tasks.services.registry import ServiceCall, internal_service


@internal_service(
    action="draw_charts",
    risk=RiskLevel.LOW,
    title="Draw the trend and the ranking of each dimension.",
    parameters=ChartParameters,
    inputs={"metrics": Metrics},
    output=ChartSet,
    read_only=True,
)
def draw_charts(call: ServiceCall[ChartParameters]) -> StepOutcome:
    """Draw every chart of the report into the run's folder."""
    metrics = Metrics.model_validate(call.inputs["metrics"])
    charts = tuple(drawn(spec, call.folder) for spec in charts_for(metrics))
    return StepOutcome(
        output=ChartSet(charts=charts).model_dump(mode="json"),
        summary=f"Drew {len(charts)} charts.",
        artifacts=tuple(file for chart in charts for file in (chart.svg, chart.png)),
    )


def drawn(spec: ChartSpec, folder: Path) -> Chart:
    """Draw a chart into the run's folder."""
    picture = draw(spec)
    return Chart(
        title=spec.title,
        alt=spec.alt,
        svg=write_file(folder, f"charts/{spec.name}.svg", picture.svg, "image/svg+xml"),
        png=write_file(folder, f"charts/{spec.name}.png", picture.png, "image/png"),
    )
