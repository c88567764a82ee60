"""Reads what each table of an analysis is: its columns, their types, and what is wrong with its rows."""

from maos.actions import StepOutcome
from maos.analysis import AnalysisTables
from maos.analysis_parameters import ProfileTablesParameters
from maos.risk import RiskLevel
from maos.settings import load_settings
from tasks.analysis_tables import profiled_table, source_file
from tasks.services.registry import ServiceCall, internal_service


@internal_service(
    action="profile_tables",
    risk=RiskLevel.LOW,
    title="Read the tables and count what is wrong with them.",
    parameters=ProfileTablesParameters,
    output=AnalysisTables,
    read_only=True,
)
def profile_tables(call: ServiceCall[ProfileTablesParameters]) -> StepOutcome:
    """Profile the data sets that the plan was made for."""
    settings = load_settings()
    tables = AnalysisTables(
        tables=tuple(
            profiled_table(source, source_file(source, org=call.run.org, folder=call.folder, settings=settings))
            for source in call.parameters.tables
        )
    )
    read = ", ".join(f"{table.name} ({table.profile.facts.row_count:,} rows)" for table in tables.tables)
    return StepOutcome(output=tables.model_dump(mode="json"), summary=f"Read {read}.")
