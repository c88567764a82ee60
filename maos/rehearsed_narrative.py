"""The narrative of a rehearsal: sentences derived from the figures by rule."""

from collections.abc import Iterator
from datetime import date, timedelta

from maos.data_quality import reading_caveats
from maos.datasets import is_rate
from maos.figures import rounded, shown_percent
from maos.labels import heading, phrase, printable
from maos.metrics import Breakdown, DatasetProfile, Metrics, Period, Slice, Total, Trend
from maos.periods import Grain, following, name_of, year_before
from maos.rehearsed_comparison import comparison_caveats, comparison_sentences, moved

NOTE = "This is a rehearsal: its sentences were derived from the figures by rule, without a writer."
# A business may rest at the end of a month.
_REST = timedelta(days=4)


def rehearsed_headline(metrics: Metrics) -> str:
    """Return the total of the leading measure, with its latest movement."""
    leading = metrics.totals[0]
    latest = _latest_year(metrics.trend)
    total = f"Rehearsal: {phrase(leading.measure)} comes to {rounded(leading.sum)}"
    if latest is None or latest.movements[0].change is None:
        return total
    return f"{total}; in {latest.label} it {moved(latest.movements[0].change)} on the year before"


def rehearsed_paragraphs(metrics: Metrics) -> tuple[str, ...]:
    """Return what the figures say: the whole, each dimension, the course of time."""
    texts = [NOTE, " ".join(map(_total_sentence, metrics.totals))]
    texts += [" ".join(_breakdown_sentences(breakdown)) for breakdown in metrics.breakdowns]
    if metrics.trend:
        texts.append(" ".join(_trend_sentences(metrics.trend)))
    if metrics.comparison:
        texts.append(" ".join(comparison_sentences(metrics.comparison)))
    return tuple(text for text in texts if text)


def rehearsed_caveats(profile: DatasetProfile, metrics: Metrics) -> tuple[str, ...]:
    """Return what a careful reader must know of the data."""
    return (
        *_row_caveats(profile),
        *(caveat for total in metrics.totals for caveat in _measure_caveats(total)),
        *_form_caveats(profile, metrics),
        *(comparison_caveats(metrics.comparison) if metrics.comparison else ()),
        *(caveat for breakdown in metrics.breakdowns for caveat in _label_caveats(breakdown)),
        *(_period_caveats(metrics.trend) if metrics.trend else ()),
    )


def _total_sentence(total: Total) -> str:
    sentence = f"{heading(total.measure)} totals {rounded(total.sum)} over {_many(total.count, 'row')}"
    return f"{sentence}." if total.mean is None else f"{sentence}, {rounded(total.mean)} on average."


def _breakdown_sentences(breakdown: Breakdown) -> Iterator[str]:
    name = phrase(breakdown.dimension)
    if not breakdown.slices:
        return
    first, last = breakdown.slices[0], breakdown.slices[-1]
    yield f"By {name}, {_label(first)} leads with {_part(first)}."
    if len(breakdown.slices) > 1 and breakdown.rest is None:
        yield f"{_label(last)} comes last with {_part(last)}."
    if breakdown.rest:
        yield f"The values beyond the leading {len(breakdown.slices)} bring {_part(breakdown.rest)}."


def _part(part: Slice) -> str:
    amount = part.amounts[0]
    if amount.share is None:
        return rounded(amount.sum)
    return f"{rounded(amount.sum)}, {shown_percent(amount.share)} of all {phrase(amount.measure)}"


def _trend_sentences(trend: Trend) -> Iterator[str]:
    ranked = sorted(trend.periods, key=lambda period: period.movements[0].sum)
    if len(ranked) < 2:
        return
    worst, best = ranked[0], ranked[-1]
    yield (
        f"The best {trend.grain.value} was {_name(best, trend)} with {rounded(best.movements[0].sum)}, the weakest"
        f" {_name(worst, trend)} with {rounded(worst.movements[0].sum)}."
    )
    yield from _latest_sentences(trend)


def _latest_sentences(trend: Trend) -> Iterator[str]:
    period = trend.periods[-1]
    move, earlier, year = period.movements[0], year_before(period.start), _latest_year(trend)
    if move.change is not None:
        name = phrase(move.measure)
        yield f"In {_name(period, trend)}, {name} {moved(move.change)} on the {trend.grain.value} before."
    if move.change_on_year is not None and earlier:
        yield f"Against {name_of(earlier, trend.grain)} it {moved(move.change_on_year)}."
    if year is not None and year.movements[0].change is not None:
        yield f"Over the whole of {year.label} it {moved(year.movements[0].change)} on the year before."


def _latest_year(trend: Trend | None) -> Period | None:
    return trend.years[-1] if trend and trend.years else None


def _name(period: Period, trend: Trend) -> str:
    return name_of(period.start, trend.grain)


def _label(part: Slice) -> str:
    # In quotation marks: a label may read like a figure or like a part of the sentence.
    return f"“{printable(part.value or '')}”"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _row_caveats(profile: DatasetProfile) -> Iterator[str]:
    facts = profile.facts
    if facts.unreadable_rows:
        yield f"{_many(facts.unreadable_rows, 'line')} of the file could not be read as rows and had to be left out."
    if profile.duplicate_rows:
        treated = "counted once" if profile.duplicates_dropped else "all counted, since nothing identifies a row"
        yield f"An earlier row is repeated in full by {_many(profile.duplicate_rows, 'row')}, {treated}."


def _measure_caveats(total: Total) -> Iterator[str]:
    name = heading(total.measure)
    if total.unparsable:
        rows = _many(total.unparsable, "row")
        yield f"{name} could not be read as a number in {rows}, left out of its figures."
    if total.missing:
        yield f"{name} is missing in {_many(total.missing, 'row')}."
    if is_rate(total.measure):
        yield f"{name} is a value per unit: its mean says more than its sum."


def _form_caveats(profile: DatasetProfile, metrics: Metrics) -> Iterator[str]:
    read = {*metrics.shape.measures, metrics.shape.period_column}
    for column in profile.facts.columns:
        if column.name in read:
            yield from reading_caveats(column)


def _label_caveats(breakdown: Breakdown) -> Iterator[str]:
    if breakdown.unlabelled:
        rows = _many(breakdown.unlabelled.rows, "row")
        yield f"{heading(breakdown.dimension)} is missing in {rows}, worth {_part(breakdown.unlabelled)}."


def _period_caveats(trend: Trend) -> Iterator[str]:
    if trend.undated:
        rows = _many(trend.undated.rows, "row")
        yield f"{heading(trend.column)} is missing or no date in {rows}, which the trend therefore lacks."
    if trend.grain is not Grain.DAY and _ends_early(trend):
        name = name_of(trend.periods[-1].start, trend.grain)
        yield f"The data end on {name_of(trend.last, Grain.DAY)}, so that {name} may be incomplete."


def _ends_early(trend: Trend) -> bool:
    end: date = following(trend.periods[-1].start, trend.grain)
    return trend.last + _REST < end - timedelta(days=1)
