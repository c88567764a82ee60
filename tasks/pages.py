"""Where people find a run."""

from uuid import UUID

from prefect.settings import PREFECT_UI_URL

from maos.settings import load_settings


def run_page(run_id: UUID) -> str:
    """Return the address of the run in the Prefect UI."""
    settings = load_settings()
    api = (settings.prefect_api_url or "").removesuffix("/").removesuffix("/api")
    ui = settings.prefect_ui_url or api or PREFECT_UI_URL.value() or ""
    return f"{ui.removesuffix('/')}/runs/flow-run/{run_id}"
