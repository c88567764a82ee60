"""Where people find a run."""

from uuid import UUID

from maos.settings import load_settings


def run_page(run_id: UUID) -> str:
    """Return the address of the run in the Prefect UI."""
    settings = load_settings()
    api = (settings.prefect_api_url or "").removesuffix("/").removesuffix("/api")
    ui = settings.prefect_ui_url or api or _prefects_own()
    return f"{ui.removesuffix('/')}/runs/flow-run/{run_id}"


def _prefects_own() -> str:
    # Here: Prefect takes long to load, and most settings name the server.
    from prefect.settings import PREFECT_UI_URL

    return PREFECT_UI_URL.value() or ""
