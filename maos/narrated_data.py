"""The data that a writer is given, as JSON."""

import json

from maos.labels import printable
from maos.metrics import Breakdown, DatasetProfile, Metrics


def narrated_data(profile: DatasetProfile, metrics: Metrics) -> str:
    """Return what the writer is told of the data: no folder of this machine, and no value longer than a label."""
    breakdowns = tuple(map(_with_labels, metrics.breakdowns))
    given = {
        "file": profile.facts.display_name,
        "profile": profile.model_dump(
            mode="json", exclude={"facts": {"source", "sha256", "size", "files"}}, exclude_none=True
        ),
        "metrics": metrics.model_copy(update={"breakdowns": breakdowns}).model_dump(mode="json", exclude_none=True),
    }
    # No value can close the data section: its angle brackets arrive escaped.
    return json.dumps(given, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e")


def _with_labels(breakdown: Breakdown) -> Breakdown:
    # As the report shows them: a value may be a page of text, and would make the price of a prompt unknowable.
    shown = tuple(
        part if part.value is None else part.model_copy(update={"value": printable(part.value)})
        for part in breakdown.slices
    )
    return breakdown.model_copy(update={"slices": shown})
