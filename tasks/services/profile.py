"""Reads what a data set is: its columns, and what is wrong with its rows."""

from maos.actions import StepOutcome
from maos.datasets import has_identifier
from maos.metrics import DatasetProfile
from maos.report_parameters import ProfileParameters
from maos.risk import RiskLevel
from maos.settings import load_settings
from tasks.duplicates import repeated_rows
from tasks.joined_files import open_files, report_files
from tasks.services.registry import ServiceCall, internal_service


@internal_service(
    action="profile_data",
    risk=RiskLevel.LOW,
    title="Read the data set and count what is wrong with it.",
    parameters=ProfileParameters,
    output=DatasetProfile,
    read_only=True,
)
def profile_data(call: ServiceCall[ProfileParameters]) -> StepOutcome:
    """Profile the data set that the plan was made for."""
    asked = call.parameters
    files = report_files(asked, org=call.run.org, folder=call.folder, settings=load_settings())
    with open_files(files) as opened:
        facts = opened.facts()
        repeated = repeated_rows(opened.table, facts)
    profile = DatasetProfile(facts=facts, duplicate_rows=repeated, duplicates_dropped=has_identifier(facts))
    return StepOutcome(output=profile.model_dump(mode="json"), summary=_summary(profile))


def _summary(profile: DatasetProfile) -> str:
    facts = profile.facts
    return (
        f"Read {facts.row_count:,} rows in {len(facts.columns)} columns; "
        f"{profile.duplicate_rows:,} duplicate and {facts.unreadable_rows:,} unreadable rows."
    )
