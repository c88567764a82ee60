"""Figures of the reliability proofs: the tests that measure them write `docs/reliability.md`.

make chaos    # sets RELIABILITY_FIGURES, runs the proofs, and calls this module
"""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

_VARIABLE = "RELIABILITY_FIGURES"
_HEAD = """\
# Reliability

What was tried, and what came out. The figures below were written by the tests that measured them (`make chaos`), on
{when}; do not edit them by hand. What the promises are and how they are held: [ARCHITECTURE](../ARCHITECTURE.md).
"""
# What each proof does; the order of the page.
_PROOFS: dict[str, str] = {
    "frontier": """\
**Random plans** (`tests/unit/test_frontier_properties.py`): up to 50 steps with random policies, failures, gates,
doubts, holds and process deaths, against a small reference model. Dependencies are respected, each step completes at
most once, and the run ends as the model says.""",
    "chaos": """\
**Kills at commit boundaries** (`tests/integration/test_chaos.py`): the process of a run is killed (`SIGKILL`)
just before and just after a commit of a write, and before, in the middle of and after a step's work; recovery finishes
it. On the other side a real SMTP server, two real webhook receivers and files are counted. A doubt is an effect whose
fate was not known: a person was asked, and looked.""",
    "races": """\
**Two workers, one run** (`tests/integration/test_chaos.py`): both execute the same flow run at the same time.""",
    "killed process": """\
**Flow process killed** in a running stack (`tests/end_to_end/test_durability.py`); the seconds are those until the run
stands at its next gate, all its work included.""",
    "killed worker and process": "**Worker and flow process killed together**: nobody is left who could report it.",
    "killed postgres": "**PostgreSQL killed** in the middle of a run; the supervisor starts it again.",
    "killed prefect": "**Prefect server killed** in the middle of a run; the supervisor starts it again.",
}


def record(name: str, **figures: int) -> None:
    """Merge figures into the file that `RELIABILITY_FIGURES` names, if it names one."""
    target = os.environ.get(_VARIABLE)
    if not target:
        return
    path = Path(target)
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, name: figures}, indent=2, sort_keys=True) + "\n")


def page_of(figures: dict[str, dict[str, int]], when: datetime) -> str:
    """Return the page; a proof without figures says so."""
    parts = [_HEAD.format(when=f"{when:%Y-%m-%d}")]
    for name, does in _PROOFS.items():
        rows = "\n".join(f"| {key.replace('_', ' ')} | {value:,} |" for key, value in figures.get(name, {}).items())
        parts.append(f"{does}\n\n" + (f"| | |\n|---|---:|\n{rows}\n" if rows else "Not measured this time.\n"))
    return "\n".join(parts)


if __name__ == "__main__":
    measured = json.loads(Path(os.environ[_VARIABLE]).read_text())
    Path(sys.argv[1]).write_text(page_of(measured, datetime.now(UTC)))
