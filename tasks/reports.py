"""Making the plan of a report: what the request leaves open is found in the data."""

from maos.datasets import choose_shape
from maos.errors import BadInput
from maos.plans import Plan
from maos.report_plan import report_plan
from maos.requests import GenerateReportRequest
from maos.settings import load_settings
from tasks.joined_files import inspect_files


def plan_report(request: GenerateReportRequest) -> Plan:
    """Look at the data set and return the plan of its report.

    Raises:
        BadInput: when a file cannot be read, or has not the columns that were asked for.
    """
    facts = inspect_files((request.dataset, *request.further_datasets), org=request.org, settings=load_settings())
    shape = choose_shape(
        facts,
        measures=request.measures,
        dimensions=request.dimensions,
        period_column=request.period_column,
    )
    if request.compare and not shape.period_column:
        raise BadInput("compare", request.compare.value, "empty, since the data set has no column of dates")
    return report_plan(request, facts, shape)
