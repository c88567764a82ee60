"""The data that a writer is given, as JSON."""

import json

from maos.comparison import Comparison
from maos.labels import printable
from maos.metrics import Breakdown, DatasetProfile, Metrics


def narrated_data(profile: DatasetProfile, metrics: Metrics) -> str:
    """Return what the writer is told of the data: no folder of this machine, and no value longer than a label."""
    breakdowns = tuple(map(_with_labels, metrics.breakdowns))
    comparison = metrics.comparison and _with_short_values(metrics.comparison)
    shown = metrics.model_copy(update={"breakdowns": breakdowns, "comparison": comparison})
    columns = {"__all__": {"examples", "reading"}}
    given = {
        "file": profile.facts.display_name,
        "profile": profile.model_dump(
            mode="json",
            exclude={"facts": {"source": True, "sha256": True, "size": True, "columns": columns}},
            exclude_none=True,
        ),
        "metrics": shown.model_dump(mode="json", exclude_none=True),
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


def _with_short_values(comparison: Comparison) -> Comparison:
    dimensions = tuple(
        each.model_copy(
            update={
                "movers": tuple(
                    mover if mover.value is None else mover.model_copy(update={"value": printable(mover.value)})
                    for mover in each.movers
                )
            }
        )
        for each in comparison.dimensions
    )
    return comparison.model_copy(update={"dimensions": dimensions})
