"""Making the plan of an analysis: its data sets are looked at first."""

from maos.analysis_plan import analysis_plan
from maos.errors import BadInput
from maos.plans import Plan
from maos.requests import AnalyzeDataRequest
from maos.settings import load_settings
from tasks.datasets import inspect_dataset


def plan_analysis(request: AnalyzeDataRequest) -> Plan:
    """Look at the data sets and return the plan of the answer.

    Raises:
        BadInput: when a data set cannot be read, or is named twice.
    """
    settings = load_settings()
    for position, dataset in enumerate(request.datasets):
        if dataset in request.datasets[:position]:
            raise BadInput("datasets", dataset.partition("?")[0], "each data set once")
    facts = [inspect_dataset(dataset, org=request.org, settings=settings) for dataset in request.datasets]
    return analysis_plan(request, facts)
