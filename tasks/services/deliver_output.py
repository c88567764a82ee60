"""Delivers the output of a workflow: validated once more, as JSON and as a page."""

import json
from typing import Any

from maos.actions import JsonObject, StepOutcome
from maos.agent_answer import citation_faults
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.investigation import Investigation
from maos.json_schemas import value_faults
from maos.redaction import each_text
from maos.risk import RiskLevel
from maos.workflow_page import WorkflowPage, page_of
from maos.workflows import DeliveredOutput, DeliverParameters, Material
from tasks.files import write_file
from tasks.secrecy import for_clients, redaction
from tasks.services.registry import ServiceCall, internal_service

FILE, PAGE = "output/output.json", "output/output.md"


@internal_service(
    action="deliver_output",
    risk=RiskLevel.LOW,
    title="Check the output of the workflow against its schema, and put it into the run's folder.",
    parameters=DeliverParameters,
    inputs={"found": Investigation, "material": Material},
    output=DeliveredOutput,
    read_only=True,
)
def deliver_output(call: ServiceCall[DeliverParameters]) -> StepOutcome:
    """Write the output; doing it again writes the same bytes."""
    asked, material = call.parameters, Material.model_validate(call.inputs["material"])
    output = _checked(asked, Investigation.model_validate(call.inputs["found"]).value, material)
    page = page_of(
        WorkflowPage(
            title=for_clients(asked.title),
            workflow=asked.workflow,
            version=asked.version,
            rehearsal=call.run.rehearsal,
            schema=asked.output_schema,
            output=output,
            material=material,
        )
    )
    file = write_file(call.folder, FILE, _json(output).encode(), "application/json")
    shown = write_file(call.folder, PAGE, page.encode(), "text/markdown")
    delivered = DeliveredOutput(
        workflow=asked.workflow,
        version=asked.version,
        output=output,
        rehearsed=call.run.rehearsal,
        file=file,
        page=shown,
    )
    return StepOutcome(
        output=delivered.model_dump(mode="json"),
        summary=f"Delivered the output of {asked.workflow}, version {asked.version}.",
        artifacts=(file, shown),
    )


def _checked(asked: DeliverParameters, value: JsonObject | None, material: Material) -> JsonObject:
    """Return the output as its readers may see it, once it fits its schema: names in their own data are theirs."""
    if value is None:
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, "the agent's step has no output")
    faults = [f"{place or 'output'}: {words}" for place, _, words in value_faults(asked.output_schema, value)]
    if faults := faults or _citation_faults(asked, value, material):
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, "; ".join(faults))
    own = "\n".join([*material.documents.values(), _json(material.inputs), _json(asked.output_schema)])
    hidden = redaction()
    return each_text(value, lambda text: hidden.let_out(text, spared=own))


def _citation_faults(asked: DeliverParameters, value: JsonObject, material: Material) -> list[str]:
    # What an engine wrote is kept without what looks like a key: a quote of one is compared with the text without it.
    hidden = redaction()
    kept = {name: hidden.without_keys(text) for name, text in material.documents.items()}
    faults = citation_faults(asked.output_schema, value, material.documents)
    return faults and citation_faults(asked.output_schema, value, kept)


# Any: JSON all the way down.
def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)
