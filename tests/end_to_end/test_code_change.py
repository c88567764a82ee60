"""The code of a running stack is changed while a run sleeps: it stops where the change matters to it, not elsewhere."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.conftest import ROOT, Maos, wait_for

REVIEWER = "reviewer@demo.example"


@dataclass(frozen=True)
class Copied(Maos):
    """The `maos` command of a copy of the project, whose code a test may change."""

    project: Path

    def run(self, *arguments: str, expect: int | None = 0, **settings: str) -> str:
        """Run a command of the copy."""
        done = subprocess.run(
            [sys.executable, "-c", "from console.main import main; main()", *arguments],
            env=self._environment() | settings,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            cwd=self.project,
        )
        assert expect is None or done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    def _environment(self) -> dict[str, str]:
        return super()._environment() | {"PYTHONPATH": str(self.project)}

    def change(self, file: str, old: str, new: str) -> None:
        """Edit a file of the copy."""
        path = self.project / file
        text = path.read_text()
        assert old in text, (file, old)
        path.write_text(text.replace(old, new, 1))
        # Far enough from the last: the copy's compiled files go by the second.
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime + 2))


@pytest.fixture(scope="module")
def copied() -> Iterator[Copied]:
    """A running stack of a copy of this project."""
    folder = Path(tempfile.mkdtemp(prefix="maos-copy-"))
    folder.chmod(0o755)
    project, home = folder / "project", folder / "home"
    for room in ("maos", "flows", "tasks", "blocks", "sql", "console", "deployments", "examples"):
        shutil.copytree(ROOT / room, project / room, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("prefect.yaml", "pyproject.toml"):
        shutil.copy(ROOT / file, project)
    home.mkdir()
    home.chmod(0o711)
    command = Copied(home=home, project=project)
    command.run("up", "--detach")
    yield command
    command.run("down")
    shutil.rmtree((home / "postgres").resolve(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _approve(maos: Copied, run_id: str, *arguments: str) -> None:
    (waiting,) = [row for row in maos.json("approvals", "list") if row["run_id"] == run_id]
    maos.run("approvals", "approve", waiting["id"], "--as", REVIEWER, *arguments)


def _ends(maos: Copied, run_id: str) -> dict[str, object]:
    return maos.shown(run_id, "completed_at IS NOT NULL", 90)


def test_a_change_that_does_not_touch_what_is_left_of_the_run_does_not_stop_it(copied: Copied) -> None:
    run_id = copied.start_report()
    copied.change("tasks/services/charts.py", "Drew {len(charts)} charts.", "There are {len(charts)} charts now.")
    copied.change("tasks/services/publish.py", "def preview(", "# Only words.\n\n\ndef preview(")

    _approve(copied, run_id)

    ended = _ends(copied, run_id)
    assert ended["status"] == "completed", ended["error_summary"]
    assert len(ended["approvals"]) == 1  # type: ignore[arg-type]


def test_a_change_of_what_is_left_to_do_asks_and_goes_on_as_decided(copied: Copied) -> None:
    run_id = copied.start_report()
    copied.change("tasks/services/publish.py", "Published the report as", "Let out the report as")

    _approve(copied, run_id)
    waiting = wait_for(
        lambda: [row for row in copied.json("approvals", "list") if row["run_id"] == run_id and row["kind"] != "action"]
    )
    assert "action publish_report" in waiting[0]["preview"]
    assert "approving takes a choice" in copied.run(
        "approvals", "approve", waiting[0]["id"], "--as", REVIEWER, expect=1
    )
    copied.run("approvals", "approve", waiting[0]["id"], "--as", REVIEWER, "--choice", "pinned")

    ended = _ends(copied, run_id)
    assert ended["status"] == "completed", ended["error_summary"]
    (published,) = [row for row in ended["invocations"] if row["step_id"] == "publish_report"]  # type: ignore[attr-defined]
    assert published["output_summary"].startswith("Let out the report as")
