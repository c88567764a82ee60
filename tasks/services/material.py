"""Reads what a run of a workflow works on: the documents that its agent is told, the tables that services compare."""

from maos.actions import ArtifactRef, StepOutcome
from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.risk import RiskLevel
from maos.settings import load_settings
from maos.workflows import Material, MaterialFile, TakeMaterialParameters
from tasks.files import write_file
from tasks.material import content_of
from tasks.services.registry import ServiceCall, internal_service


@internal_service(
    action="take_material",
    risk=RiskLevel.LOW,
    title="Read the files that the workflow was asked about.",
    parameters=TakeMaterialParameters,
    output=Material,
    read_only=True,
)
def take_material(call: ServiceCall[TakeMaterialParameters]) -> StepOutcome:
    """Copy the files that the plan was made for into the run's folder, and read the documents among them."""
    asked, settings = call.parameters, load_settings()
    documents: dict[str, str] = {}
    tables: dict[str, ArtifactRef] = {}
    copies: list[ArtifactRef] = []
    for file in asked.files:
        content = content_of(file, org=call.run.org, settings=settings)
        copies.append(write_file(call.folder, f"material/{file.name}", content, "text/plain"))
        if file.told:
            documents[file.name] = _text(file, content)
        else:
            tables[file.source] = copies[-1]
    material = Material(inputs=asked.inputs, documents=documents, tables=tables, left_out=asked.left_out)
    left = f"; {len(asked.left_out)} files are left out" if asked.left_out else ""
    return StepOutcome(
        output=material.model_dump(mode="json"),
        summary=f"Read {len(documents)} documents and {len(tables)} tables{left}.",
        artifacts=tuple(copies),
    )


def _text(file: MaterialFile, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise EngineFailure(FailureKind.BAD_REQUEST, f"{file.name} is not UTF-8") from None
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
