"""Workflows of an organisation: registered in versions, found, disabled; and the plan of a run of one."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from maos.actions import JsonObject
from maos.audit import act_of
from maos.errors import BadInput, PlanRefused, WorkflowRefused
from maos.json_schemas import completed, value_faults
from maos.plan_check import check_plan
from maos.plans import Plan
from maos.roles import Permission
from maos.settings import load_settings
from maos.workflow_plan import RESERVED, empty_plan, workflow_plan
from maos.workflow_request import RunWorkflowRequest
from maos.workflow_text import parse_workflow
from maos.workflows import WorkflowDefinition
from sql import audit, organizations, workflows
from sql.session import org_session, system_session
from sql.workflow_tables import DeepAgentWorkflow
from sql.workflows import NewWorkflow
from tasks.catalogue import actions
from tasks.material import find_material
from tasks.outages import outlasting
from tasks.people import check_permission
from tasks.rules import rule_book


def check_workflow(org_id: UUID, document: str) -> WorkflowDefinition:
    """Return the workflow of a document that this organisation could register.

    Raises:
        WorkflowRefused: with every fault: of its form, of its schemas, of its actions, of what the rules forbid.
    """
    definition = parse_workflow(document)
    if taken := sorted(RESERVED & {*definition.tools, *(each.action for each in definition.prepare)}):
        raise WorkflowRefused([f"{name!r} is no action that a workflow may name" for name in taken])
    try:
        check_plan(empty_plan(definition), actions(), rule_book(org_id).rules)
    except PlanRefused as error:
        raise WorkflowRefused(error.faults) from None
    return definition


def register_workflow(org_id: UUID, document: str, *, person: str) -> tuple[DeepAgentWorkflow, bool]:
    """Register a document as the next version of its workflow; return it, and whether it is new.

    Raises:
        BadInput: when the person may not, or somebody else registers one at the same moment.
        WorkflowRefused: when the document is not acceptable.
    """
    definition = check_workflow(org_id, document)
    try:
        return _register(org_id, NewWorkflow(definition.name, definition.title, document, person))
    except IntegrityError:
        allowed = "one that nobody else registers at the same moment; try again"
        raise BadInput("workflow", definition.name, allowed) from None


def _register(org_id: UUID, new: NewWorkflow) -> tuple[DeepAgentWorkflow, bool]:
    with org_session(org_id) as session:
        check_permission(new.registered_by, Permission.REGISTER_WORKFLOWS, org_id=org_id, session=session)
        known = workflows.versions_of(org_id, new.name, session=session)
        if known and known[0].document == new.document and known[0].disabled_at is None:
            return known[0], False
        version = workflows.next_version(org_id, new.name, session=session)
        row = workflows.add_workflow(org_id, new, version=version, session=session)
        words = f"version {version} of the workflow {new.name} registered by {new.registered_by} (identity unverified)"
        event = act_of(new.registered_by, "workflow.registered", words).model_copy(update={"digest": row.digest})
        audit.append_audit(event, org_id=org_id, session=session)
        return row, True


def disable_workflow(org_id: UUID, name: str, *, person: str) -> Sequence[int]:
    """Disable every version of a workflow; return those that were not. Runs that have begun go on.

    Raises:
        BadInput: when the person may not, or there is no such workflow.
    """
    with org_session(org_id) as session:
        check_permission(person, Permission.REGISTER_WORKFLOWS, org_id=org_id, session=session)
        known = workflows.versions_of(org_id, name, session=session)
        if not known:
            raise _unknown(org_id, name)
        disabled = workflows.disable(org_id, name, by=person, session=session)
        if disabled:
            words = f"workflow {name} disabled by {person} (identity unverified)"
            audit.append_audit(act_of(person, "workflow.disabled", words), org_id=org_id, session=session)
    return disabled


@outlasting
def find_workflow(org_id: UUID, name: str, version: int | None = None) -> DeepAgentWorkflow:
    """Return a version of a workflow, the newest where none is named, disabled or not.

    Raises:
        BadInput: naming those that there are.
    """
    with org_session(org_id) as session:
        known = workflows.versions_of(org_id, name, session=session)
    if not known:
        raise _unknown(org_id, name)
    found = [row for row in known if version in (None, row.version)]
    if not found:
        raise BadInput("version", str(version), f"1 to {known[0].version}")
    return found[0]


def usable_workflow(org_id: UUID, name: str, version: int | None) -> tuple[DeepAgentWorkflow, WorkflowDefinition]:
    """Return a version of a workflow that may run.

    Raises:
        BadInput: when there is none, or it is disabled.
        WorkflowRefused: when it is no longer one that could be registered.
    """
    row = find_workflow(org_id, name, version)
    if row.disabled_at is not None:
        raise BadInput("workflow", name, f"a workflow that is not disabled; {row.disabled_by} has disabled this one")
    return row, parse_workflow(row.document)


def plan_workflow(request: RunWorkflowRequest) -> Plan:
    """Check the inputs, look at the files that they name, and return the plan of a run.

    Raises:
        BadInput: when there is no such workflow, or an input does not fit it.
    """
    org_id = _org_of(request.org)
    row, definition = usable_workflow(org_id, request.workflow, request.version)
    inputs = checked_inputs(definition, request.inputs)
    material = find_material(definition, inputs, org=request.org, settings=load_settings())
    return workflow_plan(definition, version=row.version, title=request.title, material=material)


def checked_inputs(definition: WorkflowDefinition, given: JsonObject) -> JsonObject:
    """Return the inputs with the defaults of those left out.

    Raises:
        BadInput: naming the first that does not fit the workflow's schema.
    """
    inputs = completed(definition.inputs, given)
    for place, shown, allowed in value_faults(definition.inputs, inputs):
        raise BadInput(f"inputs.{place}".rstrip("."), shown, allowed)
    return inputs


def _org_of(slug: str) -> UUID:
    with system_session() as session:
        org = organizations.find_organization(slug, session=session)
    if org is None:
        raise BadInput("org", slug, "the slug of an organisation that exists")
    return org.id


def _unknown(org_id: UUID, name: str) -> BadInput:
    with org_session(org_id) as session:
        known = [row.name for row in workflows.list_workflows(org_id, session=session)]
    return BadInput("workflow", name, ", ".join(known) or "none: no workflow is registered (maos workflows register)")
