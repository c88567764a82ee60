"""The data that a writer is given, as JSON."""

import json

from pydantic.main import IncEx

from maos.comparison import Comparison
from maos.labels import printable
from maos.metrics import Breakdown, DatasetProfile, Metrics

# Values that could not be read are what somebody typed into the wrong column; how others are read says nothing more.
_NOT_TOLD_OF_PROFILE: dict[str, IncEx | bool] = {
    "facts": {
        "source": True,
        "sha256": True,
        "size": True,
        "files": True,
        "columns": {"__all__": {"examples", "reading"}},
    }
}
# Nothing is written of most columns but a nought.
_RARE_COUNTS = ("other_format", "ambiguous", "other_currency")
# The report lists more; each costs up to half a kilobyte.
_MOST_TOLD_MOVERS = 3
# Labels name the periods, and a step says what there was before it.
_NOT_TOLD_OF_METRICS: dict[str, IncEx | bool] = {
    "comparison": {
        "periods": {"start", "before", "year_before", "unfinished", "first"},
        "dimensions": {"__all__": {"movers": {"__all__": {"before"}}, "rest": True, "others": True}},
    }
}


def narrated_data(profile: DatasetProfile, metrics: Metrics) -> str:
    """Return what the writer is told of the data: no folder of this machine, and no value longer than a label."""
    shown = metrics.model_copy(
        update={
            "breakdowns": tuple(map(_with_labels, metrics.breakdowns)),
            "comparison": metrics.comparison and _with_short_values(metrics.comparison),
        }
    )
    told = profile.model_dump(mode="json", exclude=_NOT_TOLD_OF_PROFILE, exclude_none=True)
    for column in told["facts"]["columns"]:
        for count in _RARE_COUNTS:
            if not column[count]:
                del column[count]
    given = {
        "file": profile.facts.display_name,
        "profile": told,
        "metrics": shown.model_dump(mode="json", exclude=_NOT_TOLD_OF_METRICS, exclude_none=True),
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
                    for mover in each.movers[:_MOST_TOLD_MOVERS]
                )
            }
        )
        for each in comparison.dimensions
    )
    return comparison.model_copy(update={"dimensions": dimensions})
