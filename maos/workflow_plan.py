"""The plan of `run_workflow`: its material is taken, preparations are made of it, an agent works, its output leaves."""

from maos.agent_tools import OWN_TOOLS
from maos.engines import EngineType
from maos.investigation import INVESTIGATE
from maos.plans import Agent, Plan, PlanStep
from maos.workflows import DeliverParameters, Preparation, TakeMaterialParameters
from maos.workflows import WorkflowDefinition as Definition

TAKE, WORK, DELIVER = "take_material", "work", "deliver_output"
_CLERK = Agent(name="clerk")
_AGENT = "Researcher"
# What a workflow cannot name, because its own plan or every agent has it.
RESERVED = frozenset({TAKE, DELIVER, *OWN_TOOLS})


def workflow_plan(
    definition: Definition,
    *,
    version: int,
    title: str,
    material: TakeMaterialParameters,
) -> Plan:
    """Return the steps of a run of a workflow."""
    deliver = DeliverParameters(workflow=definition.name, version=version, title=title, output_schema=definition.output)
    return Plan(
        steps=(
            _service(TAKE, "Material", material.model_dump(mode="json")),
            *map(_prepared, definition.prepare),
            _work(definition),
            _service(DELIVER, "Output", deliver.model_dump(mode="json"), found=WORK, material=TAKE),
        )
    )


def empty_plan(definition: Definition) -> Plan:
    """Return the plan of a run without material: what is wrong with its actions shows before anything is registered."""
    return workflow_plan(definition, version=1, title=definition.title, material=TakeMaterialParameters(inputs={}))


def _work(definition: Definition) -> PlanStep:
    asked = {
        "goal": definition.goal,
        "tools": list(definition.tools),
        "limits": definition.limits.model_dump(mode="json"),
        "output_schema": definition.output,
    }
    read = {"inputs": f"{TAKE}.inputs", "documents": f"{TAKE}.documents"}
    return PlanStep(
        id=WORK,
        agent=Agent(name=_AGENT, persona=definition.persona),
        phase="Work",
        engine=EngineType.DEEP_AGENT,
        action=INVESTIGATE.name,
        parameters=asked,
        inputs=read | {each.action: each.action for each in definition.prepare},
        autonomy=definition.autonomy,
    )


def _prepared(preparation: Preparation) -> PlanStep:
    return _service(preparation.action, "Preparation", preparation.parameters, material=TAKE)


def _service(action: str, phase: str, parameters: dict[str, object], **inputs: str) -> PlanStep:
    return PlanStep(
        id=action,
        agent=_CLERK,
        phase=phase,
        engine=EngineType.INTERNAL_SERVICE,
        action=action,
        parameters=parameters,
        inputs=inputs,
    )
