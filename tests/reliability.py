"""Figures of the reliability proofs, for `docs/reliability.md`."""

import json
import os
from pathlib import Path


def record(name: str, **figures: int) -> None:
    """Merge figures into the file that `MAOS_RELIABILITY_FIGURES` names, if it names one."""
    target = os.environ.get("MAOS_RELIABILITY_FIGURES")
    if not target:
        return
    path = Path(target)
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, name: figures}, indent=2, sort_keys=True) + "\n")
