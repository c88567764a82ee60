"""The plan of `analyze_data`."""

from collections.abc import Sequence

from maos.analysis_parameters import (
    MOST_TABLE_BYTES,
    DrawAnswerParameters,
    PresentAnswerParameters,
    ProfileTablesParameters,
    RunQueryParameters,
    TableSource,
    WriteAnswerParameters,
    WriteQueryParameters,
)
from maos.datasets import DatasetFacts
from maos.errors import BadInput
from maos.plan_steps import service_step, writer_step
from maos.plans import Agent, Plan
from maos.query_tables import longest_told_tables, table_names
from maos.requests import AnalyzeDataRequest

# What the tables may take to be read before the query runs.
_READING_SECONDS = 900.0

_ANALYST = Agent(name="analyst", persona="You are a data analyst who counts before anybody speaks.")
_AUTHOR = Agent(name="author", persona="You write for people who decide and have little time.")


def analysis_plan(request: AnalyzeDataRequest, facts: Sequence[DatasetFacts]) -> Plan:
    """Return the steps of an answer: tables, query, result, then chart and words side by side, then the page.

    Raises:
        BadInput: when the tables have more columns than a writer can be told of.
    """
    tables = _tables(request, facts)
    told = _most_told(tables, facts)
    write_query = WriteQueryParameters(question=request.question, most_data_bytes=told)
    run_query = RunQueryParameters(tables=tables, query_seconds=request.query_seconds)
    write_answer = WriteAnswerParameters(question=request.question)
    present = PresentAnswerParameters(title=request.title, question=request.question)
    given = {"tables": "profile_tables", "query": "write_query"}
    known = {**given, "result": "run_query"}
    return Plan(
        steps=(
            service_step("profile_tables", _ANALYST, "Query", ProfileTablesParameters(tables=tables)),
            writer_step("write_query", _ANALYST, "Query", write_query, tables="profile_tables"),
            service_step("run_query", _ANALYST, "Query", run_query, **given).model_copy(
                update={"timeout_seconds": _READING_SECONDS + request.query_seconds}
            ),
            service_step("draw_answer", _ANALYST, "Answer", DrawAnswerParameters(), **known),
            writer_step("write_answer", _AUTHOR, "Answer", write_answer, **known),
            service_step(
                "present_answer", _AUTHOR, "Answer", present, **known, chart="draw_answer", text="write_answer"
            ),
        )
    )


def _tables(request: AnalyzeDataRequest, facts: Sequence[DatasetFacts]) -> tuple[TableSource, ...]:
    return tuple(
        TableSource(name=name, dataset=dataset, digest=each.sha256)
        for name, dataset, each in zip(table_names(facts), request.datasets, facts, strict=True)
    )


def _most_told(tables: Sequence[TableSource], facts: Sequence[DatasetFacts]) -> int:
    """Return how many bytes the writer can be told of the tables at most."""
    named = [(table.name, each) for table, each in zip(tables, facts, strict=True)]
    if longest_told_tables(named, values=False) > MOST_TABLE_BYTES:
        columns = sum(len(each.columns) for each in facts)
        raise BadInput("datasets", f"{columns:,} columns", "tables of a few hundred columns in all")
    return min(longest_told_tables(named, values=True), MOST_TABLE_BYTES)
