"""`maos workflows`: register, list, show, disable and export the workflows that agents work by."""

import json
from collections.abc import Iterator
from pathlib import Path

import click

from console.organisations import known_org_id
from console.output import print_json, print_rows
from console.rules_files import read_document
from console.workflow_form import form
from maos.actions import JsonObject
from maos.workflow_text import parse_workflow
from maos.workflows import WorkflowDefinition
from sql.session import org_session
from sql.workflow_tables import DeepAgentWorkflow
from sql.workflows import list_workflows, versions_of
from tasks.workflows import check_workflow, disable_workflow, find_workflow, register_workflow

_FILE = click.Path(path_type=Path)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_ORG = click.option("--org", required=True, help="Slug of the organisation.")
_VERSION = click.option("--version", type=click.IntRange(1), help="A registered version; left out: the newest.")
_LIST = ("name", "version", "title", "state", "last_run_at", "last_status")
_VERSIONS = ("version", "registered_at", "registered_by", "state", "last_run_at", "last_status", "digest")
_FIELDS = ("input", "type", "needed", "default", "description")


@click.group()
def workflows() -> None:
    """Register, list, show, disable and export workflows of agents."""


workflows.add_command(form)


@workflows.command()
@click.argument("file", type=_FILE)
@_ORG
@click.option("--as", "person", required=True, metavar="EMAIL", help="Who registers it: an owner of the organisation.")
def register(file: Path, org: str, person: str) -> None:
    """Register a document (YAML or JSON) as the next version of its workflow; every version is kept.

    \b
    Example:
      maos workflows register examples/workflows/research-documents.yaml --org demo --as owner@demo.example
    """
    who = person.strip().lower()
    row, new = register_workflow(known_org_id(org), read_document(file), person=who)
    words = f"version {row.version} registered by {who}" if new else f"unchanged; version {row.version} holds"
    click.echo(f"workflow {row.name} of {org}: {words}")


@workflows.command()
@click.argument("file", type=_FILE)
@_ORG
def check(file: Path, org: str) -> None:
    """Say whether a document could be registered; nothing is stored. Faults exit with 2.

    \b
    Example:
      maos workflows check examples/workflows/triage-issues.yaml --org demo
    """
    definition = check_workflow(known_org_id(org), read_document(file))
    click.echo(f"{file} is accepted: workflow {definition.name}, at most {definition.limits.money_usd} USD a run")


@workflows.command("list")
@_ORG
@_JSON
def list_(org: str, as_json: bool) -> None:
    """List the newest version of each workflow, with its last run.

    \b
    Example:
      maos workflows list --org demo
    """
    org_id = known_org_id(org)
    with org_session(org_id) as session:
        rows = [_facts(row) for row in list_workflows(org_id, session=session)]
    print_rows(rows, as_json=as_json, columns=_LIST, title=f"workflows of {org}")


@workflows.command()
@click.argument("name")
@_ORG
@_VERSION
@_JSON
def show(name: str, org: str, version: int | None, as_json: bool) -> None:
    """Show what a workflow takes and hands back, and its versions.

    \b
    Example:
      maos workflows show research-documents --org demo
    """
    org_id = known_org_id(org)
    row = find_workflow(org_id, name, version)
    definition = parse_workflow(row.document)
    with org_session(org_id) as session:
        versions = [_facts(each) for each in versions_of(org_id, name, session=session)]
    if as_json:
        print_json({**_facts(row), "definition": definition.model_dump(mode="json"), "versions": versions})
        return
    click.echo(f"{definition.title}\n\n{definition.goal.strip()}\n")
    print_rows(list(_form(definition)), as_json=False, columns=_FIELDS, title="inputs")
    click.echo(f"\noutput: {json.dumps(definition.output, ensure_ascii=False)}")
    click.echo(f"tools: {', '.join(definition.tools) or 'none'}; limits: {definition.limits.model_dump_json()}\n")
    print_rows(versions, as_json=False, columns=_VERSIONS, title=f"versions of {name}")


@workflows.command()
@click.argument("name")
@_ORG
@click.option("--as", "person", required=True, metavar="EMAIL", help="Who disables it: an owner of the organisation.")
def disable(name: str, org: str, person: str) -> None:
    """Disable every version of a workflow; runs that have begun go on. Registering it again makes a version that runs.

    \b
    Example:
      maos workflows disable triage-issues --org demo --as owner@demo.example
    """
    disabled = disable_workflow(known_org_id(org), name, person=person.strip().lower())
    versions = ", ".join(map(str, disabled))
    click.echo(f"workflow {name} of {org}: {f'disabled; versions {versions}' if disabled else 'was disabled already'}")


@workflows.command()
@click.argument("name")
@_ORG
@_VERSION
@click.option("--output", "file", type=_FILE, help="A file to write; left out: printed.")
def export(name: str, org: str, version: int | None, file: Path | None) -> None:
    """Write the document of a workflow as it was registered, by the letter.

    \b
    Example:
      maos workflows export research-documents --org demo --output research.yaml
    """
    row = find_workflow(known_org_id(org), name, version)
    if file is None:
        click.echo(row.document, nl=False)
        return
    file.write_bytes(row.document.encode())
    click.echo(f"{file}: version {row.version} of {name}, SHA-256 {row.digest}")


@workflows.command()
def schema() -> None:
    """Print the JSON Schema of documents of workflows.

    \b
    Example:
      maos workflows schema > workflow.schema.json
    """
    print_json(WorkflowDefinition.model_json_schema())


def _facts(row: DeepAgentWorkflow) -> JsonObject:
    state = f"disabled by {row.disabled_by}" if row.disabled_at else "runs"
    return {**row.model_dump(exclude={"org_id", "document"}), "state": state}


def _form(definition: WorkflowDefinition) -> Iterator[JsonObject]:
    needed = definition.inputs.get("required", [])
    for name, part in definition.inputs.get("properties", {}).items():
        yield {
            "input": name,
            "type": part.get("format", part["type"]),
            "needed": "yes" if name in needed and "default" not in part else "no",
            "default": part.get("default"),
            "description": part.get("description", part.get("title", "")),
        }
