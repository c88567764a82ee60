"""What integration tests share."""

from pathlib import Path
from uuid import UUID

import pytest

from tests.plans import Bench


@pytest.fixture
def bench(prefect_api: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:  # noqa: ARG001
    """A bench for plans of test steps, with nothing in Prefect but what the test puts there."""
    return Bench(monkeypatch, tmp_path)
