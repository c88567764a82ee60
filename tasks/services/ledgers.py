"""Compares two ledgers of a workflow's material, key by key, by figures and not by reading."""

from maos.actions import StepOutcome
from maos.errors import BadInput, EngineFailure
from maos.failures import FailureKind
from maos.ledgers import CompareLedgersParameters, LedgerComparison
from maos.ledgers import compare_ledgers as compared
from maos.risk import RiskLevel
from maos.workflows import Material
from tasks.files import read_file, write_file
from tasks.services.registry import ServiceCall, internal_service

FILE = "comparison/differences.json"


@internal_service(
    action="compare_ledgers",
    risk=RiskLevel.LOW,
    title="Compare two tables of entries: what only one of them has, and what they say differently.",
    parameters=CompareLedgersParameters,
    inputs={"material": Material},
    output=LedgerComparison,
    read_only=True,
)
def compare_ledgers(call: ServiceCall[CompareLedgersParameters]) -> StepOutcome:
    """Compare the two; the same tables give the same numbers."""
    asked, material = call.parameters, Material.model_validate(call.inputs["material"])
    try:
        found = compared(_table(call, material, asked.left), _table(call, material, asked.right), asked)
    except BadInput as error:
        raise EngineFailure(FailureKind.BAD_REQUEST, str(error)) from None
    file = write_file(call.folder, FILE, found.model_dump_json(indent=1).encode(), "application/json")
    count = len(found.differences) + found.not_shown
    return StepOutcome(
        output=found.model_dump(mode="json"),
        summary=f"Found {count} differences; {found.agreeing} entries agree.",
        artifacts=(file,),
    )


def _table(call: ServiceCall[CompareLedgersParameters], material: Material, name: str) -> str:
    if name not in material.tables:
        known = ", ".join(sorted(material.tables)) or "none"
        raise EngineFailure(FailureKind.BAD_REQUEST, f"no input {name!r} names a table; those that do: {known}")
    try:
        return read_file(call.folder, material.tables[name]).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise EngineFailure(FailureKind.BAD_REQUEST, f"the table {name} is not UTF-8") from None
