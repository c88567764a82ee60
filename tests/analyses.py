"""Drives the actions of `analyze_data` without a run: from a question and files to a result and a page."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from maos.actions import JsonObject, StepOutcome
from maos.analysis import AnalysisTables, QueryResult, WrittenQuery
from maos.analysis_plan import analysis_plan
from maos.plans import Plan
from maos.requests import AnalyzeDataRequest
from maos.settings import load_settings
from maos.writing import WritingAction
from tasks.catalogue import WRITING
from tasks.datasets import inspect_dataset
from tasks.query_trials import trial_faults
from tasks.services.registry import SERVICES, ServiceCall
from tests.service_runs import RUN


@dataclass
class Analysis:
    """A question about data sets that the organisation may read; its steps are done one by one."""

    folder: Path
    question: str
    datasets: tuple[str, ...]
    query_seconds: int = 60

    def __post_init__(self) -> None:
        self.outputs: dict[str, JsonObject] = {}
        request = AnalyzeDataRequest(
            org="demo",
            initiator="author@demo.example",
            title="Answer",
            question=self.question,
            datasets=self.datasets,
            query_seconds=self.query_seconds,
        )
        facts = [inspect_dataset(each, org="demo", settings=load_settings()) for each in self.datasets]
        self.plan: Plan = analysis_plan(request, facts)

    def do(self, step_id: str) -> StepOutcome:
        """Have a service do a step."""
        step = self.plan.step(step_id)
        service = SERVICES[step.action]
        parameters = service.spec.parameters.model_validate(step.parameters)
        outcome = service.run(ServiceCall(parameters, self.inputs(step_id), self.folder, RUN, "key", 300.0))
        self.outputs[step_id] = outcome.output
        return outcome

    def inputs(self, step_id: str) -> Mapping[str, JsonObject]:
        """Return what a step reads."""
        return {name: self.outputs[str(source)] for name, source in self.plan.step(step_id).inputs.items()}

    def rehearse(self, step_id: str) -> JsonObject:
        """Have the writer's answer derived by rule, and judged like a writer's."""
        action: WritingAction = WRITING[step_id]
        parameters = action.spec.parameters.model_validate(self.plan.step(step_id).parameters)
        answer = action.unasked(parameters, self.inputs(step_id)) if action.unasked else None
        if answer is None:
            answer = action.rehearse(parameters, self.inputs(step_id))
            assert action.review(answer, self.inputs(step_id)) == []
            assert trial_faults(step_id, answer, self.inputs(step_id)) == []
        self.outputs[step_id] = answer
        return answer

    def tables(self) -> AnalysisTables:
        """Profile the tables."""
        self.do("profile_tables")
        return AnalysisTables.model_validate(self.outputs["profile_tables"])

    def run(self, query: WrittenQuery | None = None) -> QueryResult:
        """Do every step up to the result, with this query instead of a rehearsed one."""
        self.tables()
        if query:
            self.outputs["write_query"] = query.model_dump(mode="json")
        else:
            self.rehearse("write_query")
        return QueryResult.model_validate(self.do("run_query").output)

    def finish(self) -> StepOutcome:
        """Do the steps after the result; return the last outcome."""
        self.do("draw_answer")
        self.rehearse("write_answer")
        return self.do("present_answer")
