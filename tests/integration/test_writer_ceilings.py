"""What a writing step can cost at most, as its plan and its reviewer are told."""

from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest

from blocks.claude import ClaudeEngine
from maos.autonomy import AutonomyLevel
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.narrative import NARRATIVE
from maos.plans import Plan
from maos.policy import PolicyBook
from maos.rules import LONGEST_PROSE_BYTES, RuleBook
from maos.runs import GateKind, Run
from maos.statuses import RunStatus
from maos.tariffs import Tariff
from maos.writing import rewritten
from tasks.ceilings import planned_ceilings as whole_plan_ceilings
from tasks.claude_cli import planned_ceilings, step_ceiling
from tasks.payloads import Payload
from tasks.writer import writer_ceiling
from tests.report_data import metrics, profile, random_figures
from tests.rule_books import NO_RULES

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
FIGURES = (profile(), metrics())


pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def engine(monkeypatch: pytest.MonkeyPatch) -> ClaudeEngine:
    configured = ClaudeEngine(api_key="gateway.canary+7f3a")
    monkeypatch.setattr("tasks.claude_cli.writer_engine", lambda: configured)
    return configured


def plan(attempts: int = 3) -> Plan:
    writing = {
        "id": "write",
        "agent": "author",
        "engine": "claude_cli",
        "action": "write_narrative",
        "retry": {"attempts": attempts},
    }
    return Plan.model_validate({"steps": [writing]})


def payload(
    made: Plan,
    figures: tuple[object, object],
    *,
    rehearsal: bool = False,
    audience: str = "all",
    book: RuleBook = NO_RULES,
) -> Payload:
    run = Run(
        id=uuid4(),
        org_id=uuid4(),
        org="demo",
        title="Orders",
        initiator="author@demo.example",
        entrypoint="generate_report",
        request={},
        plan=made,
        plan_digest=made.digest,
        rules_digest="0" * 64,
        pins={},
        autonomy=AutonomyLevel.SEMI_AUTONOMOUS,
        read_only_exempt=False,
        rehearsal=rehearsal,
        status=RunStatus.EXECUTING,
        attempt=1,
        gate_round=1,
        gate_kind=GateKind.APPROVALS,
        gate_refusal=None,
        held_by=None,
        epoch=1,
        parent_run_id=None,
        started_at=AT,
    )
    inputs = dict(zip(("profile", "metrics"), (part.model_dump(mode="json") for part in figures), strict=True))  # type: ignore[attr-defined] # models
    return Payload(
        run=run,
        step=made.steps[0],
        spec=NARRATIVE.spec,
        parameters={"language": "en", "audience": audience},
        inputs=inputs,
        content={},
        book=book,
        policies=PolicyBook(),
    )


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_reviewer_is_told_what_all_tries_and_rewrites_can_cost(engine: ClaudeEngine, attempts: int) -> None:
    asked = payload(plan(attempts), FIGURES)
    prompt = NARRATIVE.prompt(NARRATIVE.spec.parameters.model_validate(asked.parameters), asked.inputs)
    first, rewrite = (writer_ceiling(engine, each, Tariff(at=AT)) for each in (prompt, rewritten(prompt, "ü" * 20_000)))

    assert step_ceiling(asked) >= attempts * (first + rewrite)


@pytest.mark.parametrize("seed", range(5))
def test_no_step_can_cost_more_than_its_plan_says(seed: int) -> None:
    made = plan()

    assert (
        step_ceiling(payload(made, random_figures(seed)))
        <= planned_ceilings(made, Tariff(at=datetime.now(UTC)), prose="")["write"]
    )


def test_the_longest_rules_are_within_what_a_plan_says() -> None:
    made, longest = plan(), NO_RULES.model_copy(update={"prose": "x" * LONGEST_PROSE_BYTES})
    ruled = step_ceiling(payload(made, FIGURES, book=longest))

    planned = planned_ceilings(made, Tariff(at=datetime.now(UTC)), prose=longest.prose)
    assert step_ceiling(payload(made, FIGURES)) < ruled <= planned["write"]


def test_a_rehearsal_costs_nothing() -> None:
    assert whole_plan_ceilings(plan(), org_id=uuid4(), rehearsal=True) == {}
    assert step_ceiling(payload(plan(), FIGURES, rehearsal=True)) == Decimal(0)


def test_a_prompt_beyond_what_the_plan_was_priced_for_is_refused() -> None:
    figures, totals = FIGURES
    columns = [column.model_copy(update={"name": "x" * 250_000}) for column in figures.facts.columns]
    long = figures.model_copy(update={"facts": figures.facts.model_copy(update={"columns": tuple(columns)})})

    with pytest.raises(
        EngineFailure, match=r"the prompt comes to 1,0\d\d,\d{3} bytes.*at most 392,\d{3} here"
    ) as refused:
        step_ceiling(payload(plan(), (long, totals)))

    assert refused.value.kind is FailureKind.TOO_LONG
