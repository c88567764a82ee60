"""Where people find a run."""

from uuid import UUID

from maos.settings import load_settings


def run_page(run_id: UUID) -> str:
    """Return the address of the run in the Prefect UI."""
    settings = load_settings()
    api = (settings.prefect_api_url or "").removesuffix("/").removesuffix("/api")
    return f"{(settings.prefect_ui_url or api).removesuffix('/')}/runs/flow-run/{run_id}"
