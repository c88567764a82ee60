"""Runs the query that was written for a question, once it is checked, and computes its key figure a second time."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from maos.actions import StepOutcome
from maos.analysis import AnalysisTables, QueryResult, WrittenQuery
from maos.analysis_parameters import RunQueryParameters
from maos.query_check import checked_query
from maos.risk import RiskLevel
from maos.settings import load_settings
from tasks.analysis_tables import load_tables, source_file
from tasks.apart import run_apart
from tasks.queries import CheckedPair, answered, stopped_after
from tasks.services.registry import ServiceCall, internal_service


@internal_service(
    action="run_query",
    risk=RiskLevel.LOW,
    title="Run the checked query over the tables, read-only and within limits, and cross-check its key figure.",
    parameters=RunQueryParameters,
    inputs={"tables": AnalysisTables, "query": WrittenQuery},
    output=QueryResult,
    read_only=True,
)
def run_query(call: ServiceCall[RunQueryParameters]) -> StepOutcome:
    """Run the query.

    Raises:
        QueryRefused: when it is not one harmless SELECT.
        LimitReached: when it takes too long, too much memory, or gives too many rows.
    """
    tables = AnalysisTables.model_validate(call.inputs["tables"])
    query = WrittenQuery.model_validate(call.inputs["query"])
    if not query.answerable:
        nothing = QueryResult(answered=False)
        return StepOutcome(output=nothing.model_dump(mode="json"), summary="The data cannot answer the question.")
    # Again, although its writer's answer was checked: what runs is what was checked here.
    pair = CheckedPair(query=checked_query(query.sql, tables.names), check=checked_query(query.check_sql, tables.names))
    # Inside the run's folder: what a killed process leaves behind goes with it.
    with TemporaryDirectory(dir=call.folder, prefix=".query-") as folder:
        database = Path(folder) / "tables.duckdb"
        # In a process of its own, so that the query's is forked from one in which no engine has been at work.
        run_apart(partial(_load, call, tables, database), timeout_seconds=call.timeout_seconds)
        work = partial(answered, pair, query, database, Path(folder))
        result = stopped_after(call.parameters.query_seconds, work)
    return StepOutcome(output=result.model_dump(mode="json"), summary=_summary(result))


def _load(call: ServiceCall[RunQueryParameters], tables: AnalysisTables, database: Path) -> None:
    settings = load_settings()
    files = [
        (table, source_file(source, org=call.run.org, folder=call.folder, settings=settings))
        for table, source in zip(tables.tables, call.parameters.tables, strict=True)
    ]
    load_tables(files, database)


def _summary(result: QueryResult) -> str:
    check = result.cross_check
    verdict = "agrees" if check and check.agrees else "disagrees"
    return f"Rows of the result: {result.row_count:,}; the cross-check {verdict}."
