"""What an operator sees of a run in the Prefect UI: plan, files, costs."""

import base64
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from prefect.artifacts import create_image_artifact, create_markdown_artifact, create_table_artifact
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run

from maos.actions import ArtifactRef, StepOutcome
from maos.runs import Run
from sql import invocations
from sql.session import org_session
from tasks.steps import run_folder


def label_run(run: Run) -> None:
    """Tag the flow run with its organisation, whoever created it."""
    tags = {*flow_run.get_tags(), f"org:{run.org}"}
    with get_client(sync_client=True) as client:
        client.update_flow_run(run.id, tags=sorted(tags))


def show_costs(run: Run) -> None:
    """Publish what each attempt took and cost as a table."""
    with org_session(run.org_id) as session:
        attempts = invocations.list_invocations(run.id, session=session)
    rows = [
        {
            "step": row.step_id,
            "attempt": row.attempt,
            "engine": row.engine_type,
            "status": row.status,
            "tokens in": row.input_tokens + row.cache_read_tokens + row.cache_write_tokens,
            "tokens out": row.output_tokens,
            "USD": f"{row.cost_usd:f}",
        }
        for row in attempts
    ]
    total = sum((row.cost_usd for row in attempts), start=Decimal(0))
    create_table_artifact(rows, key=f"{run.org}-costs", description=f"Costs: {total:f} USD in all")


def show_vigilance(org: str, report: str) -> None:
    """Publish how an organisation's reviewers decided."""
    create_markdown_artifact(report, key=f"{org}-vigilance", description=f"How {org} decided")


def show_artifacts(run: Run, outcome: StepOutcome) -> None:
    """Publish the files of a step that the Prefect UI can show."""
    for artifact in outcome.artifacts:
        if show := _SHOWN_AS.get(artifact.media_type):
            show(run, artifact, run_folder(run) / artifact.name)


def _show_markdown(run: Run, artifact: ArtifactRef, path: Path) -> None:
    create_markdown_artifact(path.read_text(), key=_key(run, artifact), description=artifact.name)


def _show_image(run: Run, artifact: ArtifactRef, path: Path) -> None:
    # Inline: the UI reaches no file of this machine.
    data = base64.b64encode(path.read_bytes()).decode()
    create_image_artifact(
        f"data:{artifact.media_type};base64,{data}", key=_key(run, artifact), description=artifact.name
    )


_SHOWN_AS: dict[str, Callable[[Run, ArtifactRef, Path], None]] = {
    "text/markdown": _show_markdown,
    "image/png": _show_image,
}


def _key(run: Run, artifact: ArtifactRef) -> str:
    # Prefect takes lowercase letters, digits and dashes only.
    stem = "".join(c if c.isascii() and c.isalnum() else "-" for c in Path(artifact.name).stem.lower())
    return f"{run.org}-{stem.strip('-')}"
