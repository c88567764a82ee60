"""The organisation of the examples, made once by the embedded stack."""

from pathlib import Path

from maos.workflow_text import parse_workflow
from sql.organizations import ensure_member, ensure_organization, find_organization
from sql.session import org_session, system_session
from sql.workflows import NewWorkflow, add_workflow, versions_of

_MEMBERS = (
    ("owner@demo.example", "Demo Owner", "owner"),
    ("author@demo.example", "Demo Author", "author"),
    ("reviewer@demo.example", "Demo Reviewer", "reviewer"),
)


def ensure_demo_organization() -> None:
    """Create the organisation `demo` with an owner, an author and a reviewer, unless they exist."""
    with system_session() as session:
        org_id = ensure_organization("demo", "Demo Trading Ltd", session=session)
        for email, name, role in _MEMBERS:
            ensure_member(email, name, role, org_id=org_id, session=session)


def ensure_demo_workflows(folder: Path) -> None:
    """Register the workflows of a folder for `demo`, unless it has had versions of them: what is disabled stays so."""
    with system_session() as session:
        org = find_organization("demo", session=session)
    if org is None:
        return
    with org_session(org.id) as session:
        for file in sorted(folder.glob("*.yaml")):
            if versions_of(org.id, file.stem, session=session):
                continue
            document = file.read_text()
            definition = parse_workflow(document)
            new = NewWorkflow(definition.name, definition.title, document, _MEMBERS[0][0])
            add_workflow(org.id, new, version=1, session=session)
