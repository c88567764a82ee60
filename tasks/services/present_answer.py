"""Puts an answer together: one HTML page and its Markdown twin in the run's folder."""

from pydantic import BaseModel, ConfigDict, Field

from maos.actions import ArtifactRef, StepOutcome
from maos.analysis import AnalysisTables, CrossCheck, QueryResult, WrittenQuery
from maos.analysis_parameters import PresentAnswerParameters
from maos.answer import Answer, caveats
from maos.answer_html import html_of
from maos.answer_markdown import markdown_of
from maos.answer_secrecy import discreet_answer
from maos.answer_text import AnswerText
from maos.charts import ChartSet
from maos.report import ReportChart, ReportRun
from maos.risk import RiskLevel
from tasks.files import read_file, write_file
from tasks.secrecy import redaction
from tasks.services.registry import ServiceCall, internal_service

PAGE = "answer/answer.html"
TWIN = "answer/answer.md"


class PresentedAnswer(BaseModel):
    """The answer, and where its page lies."""

    model_config = ConfigDict(frozen=True)

    question: str
    answered: bool = Field(description="Whether the data could answer.")
    answer: str = Field(description="The answer in one sentence.")
    context: str = Field(description="What gives it its weight, in one sentence.")
    missing: tuple[str, ...] = Field(description="What the data lack, where they could not answer.")
    caveats: tuple[str, ...]
    sql: str
    key_figure: CrossCheck | None = Field(description="The key figure, computed twice.")
    page: ArtifactRef
    twin: ArtifactRef


@internal_service(
    action="present_answer",
    risk=RiskLevel.LOW,
    title="Put answer, figures, chart, query and caveats onto a page in the run's folder.",
    parameters=PresentAnswerParameters,
    inputs={
        "tables": AnalysisTables,
        "query": WrittenQuery,
        "result": QueryResult,
        "chart": ChartSet,
        "text": AnswerText,
    },
    output=PresentedAnswer,
    read_only=True,
)
def present_answer(call: ServiceCall[PresentAnswerParameters]) -> StepOutcome:
    """Write the page; doing it again writes the same bytes."""
    answer = discreet_answer(_answer_of(call), redaction())
    page = write_file(call.folder, PAGE, html_of(answer).encode(), "text/html")
    twin = write_file(call.folder, TWIN, markdown_of(answer).encode(), "text/markdown")
    result = answer.result
    presented = PresentedAnswer(
        question=answer.question,
        answered=result.answered,
        answer=answer.text.answer,
        context=answer.text.context,
        missing=answer.query.missing if not result.answered else (),
        caveats=caveats(answer),
        sql=result.sql,
        key_figure=result.cross_check,
        page=page,
        twin=twin,
    )
    said = "Answered the question" if result.answered else "Said what the data lack"
    return StepOutcome(
        output=presented.model_dump(mode="json"), summary=f"{said} in {PAGE} and {TWIN}.", artifacts=(page, twin)
    )


def _answer_of(call: ServiceCall[PresentAnswerParameters]) -> Answer:
    inputs = call.inputs
    charts = ChartSet.model_validate(inputs["chart"]).charts
    return Answer(
        title=call.parameters.title,
        question=call.parameters.question,
        run=ReportRun.model_validate(call.run, from_attributes=True),
        tables=AnalysisTables.model_validate(inputs["tables"]),
        query=WrittenQuery.model_validate(inputs["query"]),
        result=QueryResult.model_validate(inputs["result"]),
        text=AnswerText.model_validate(inputs["text"]),
        chart=next(
            (
                ReportChart(title=each.title, alt=each.alt, svg=read_file(call.folder, each.svg).decode())
                for each in charts
            ),
            None,
        ),
    )
