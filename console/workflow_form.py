"""`maos workflows form`: a workflow's own form in the Prefect UI, as a deployment beside that of `run_workflow`."""

import click
from httpx import HTTPError
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from console.organisations import known_org_id
from console.prefect_api import require_server
from maos.errors import StackError
from maos.workflow_form import form_schema, prefilled
from maos.workflows import WorkflowDefinition
from tasks.entrypoints import ENTRYPOINTS
from tasks.workflows import usable_workflow

_GENERAL = ENTRYPOINTS["run_workflow"].deployment


@click.command()
@click.argument("name")
@click.option("--org", required=True, help="Slug of the organisation.")
def form(name: str, org: str) -> None:
    """Give the newest version of a workflow a form of its own in the Prefect UI; done again, the form is replaced.

    \b
    Example:
      maos workflows form research-documents --org demo
    """
    require_server()
    row, definition = usable_workflow(known_org_id(org), name, None)
    published = _publish(definition, org=org)
    click.echo(f"workflow {name} of {org}: version {row.version} has its form at deployment {published}")


def _publish(definition: WorkflowDefinition, *, org: str) -> str:
    """Add or replace the deployment; return its name."""
    flow, _, _ = _GENERAL.partition("/")
    own = f"{org}-{definition.name}"
    try:
        with get_client(sync_client=True) as client:
            general = client.read_deployment_by_name(_GENERAL)
            client.create_deployment(
                general.flow_id,
                own,
                description=definition.title,
                entrypoint=general.entrypoint,
                work_pool_name=general.work_pool_name,
                work_queue_name=general.work_queue_name,
                pull_steps=general.pull_steps,
                tags=[*general.tags, f"org:{org}", f"workflow:{definition.name}"],
                parameters=prefilled(definition, org=org),
                parameter_openapi_schema=form_schema(general.parameter_openapi_schema or {}, definition, org=org),
                enforce_parameter_schema=True,
            )
    except ObjectNotFound:
        raise StackError("Prefect server", f"it has no deployment {_GENERAL!r}; run: maos up") from None
    except HTTPError as error:
        raise StackError("Prefect server", f"it did not take the form: {error}") from error
    return f"{flow}/{own}"
