"""The housekeeping flow `report_vigilance`: once a week each organisation's reviewers are held up a mirror."""

from datetime import UTC, datetime, timedelta

from prefect import flow

from tasks.artifacts import show_vigilance
from tasks.learning import weekly_vigilance
from tasks.logs import guard
from tasks.secrecy import discreet


@flow(name="report-vigilance", flow_run_name="report", persist_result=False)
def report_vigilance() -> dict[str, str]:
    """Publish how each organisation decided in the week until now; return the reports, by organisation."""
    guard()
    with discreet():
        until = datetime.now(UTC)
        reports = weekly_vigilance(until - timedelta(weeks=1), until)
        for org, report in reports.items():
            show_vigilance(org, report)
    return reports
