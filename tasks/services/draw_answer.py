"""Draws the chart of a result, where its shape has one."""

from maos.actions import StepOutcome
from maos.analysis import AnalysisTables, QueryResult, WrittenQuery
from maos.analysis_parameters import DrawAnswerParameters
from maos.answer_chart import chart_for
from maos.answer_secrecy import cleaner_for, discreet_result
from maos.charts import ChartSet
from maos.risk import RiskLevel
from tasks.secrecy import redaction
from tasks.services.charts import drawn
from tasks.services.registry import ServiceCall, internal_service


@internal_service(
    action="draw_answer",
    risk=RiskLevel.LOW,
    title="Draw the chart that the shape of the result asks for.",
    parameters=DrawAnswerParameters,
    inputs={"tables": AnalysisTables, "query": WrittenQuery, "result": QueryResult},
    output=ChartSet,
    read_only=True,
)
def draw_answer(call: ServiceCall[DrawAnswerParameters]) -> StepOutcome:
    """Draw at most one chart into the run's folder."""
    tables = AnalysisTables.model_validate(call.inputs["tables"])
    query, result = WrittenQuery.model_validate(call.inputs["query"]), QueryResult.model_validate(call.inputs["result"])
    # The picture is made of names that were written; it cannot be cleaned later.
    clean = cleaner_for(tables, result, redaction())
    spec = chart_for(discreet_result(result, clean), key_column=clean(query.key_column))
    charts = (drawn(spec, call.folder),) if spec else ()
    return StepOutcome(
        output=ChartSet(charts=charts).model_dump(mode="json"),
        summary="Drew a chart." if charts else "The result has no shape that a chart would show.",
        artifacts=tuple(file for chart in charts for file in (chart.svg, chart.png)),
    )
