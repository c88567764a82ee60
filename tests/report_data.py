"""Small profiles, figures and reports for the tests of the report, and random ones for its properties."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from uuid import UUID

from maos.aggregates import Group, RawTotal, breakdown_of, periods_of, slice_of, total_of, years_of
from maos.comparison import Comparison, MovedGroup, PeriodSums, compared_periods, comparison_of, movers_of
from maos.datasets import ColumnFacts, ColumnKind, DatasetFacts, DatasetFormat, ReportShape
from maos.metrics import DatasetProfile, Metrics, Trend
from maos.narrative import Narrative
from maos.periods import Grain, following
from maos.readings import Reading
from maos.report import Report, ReportChart, ReportRun

DIGEST = "ab" * 32


def column(name: str, kind: ColumnKind = ColumnKind.TEXT, **facts: object) -> ColumnFacts:
    return ColumnFacts.model_validate({"name": name, "kind": kind, "missing": 0, "distinct": 5, **facts})


def dataset(*columns: ColumnFacts, rows: int = 200, source: str = "/data/sales_2024.csv") -> DatasetFacts:
    return DatasetFacts(
        source=source, format=DatasetFormat.CSV, sha256=DIGEST, size=1234, row_count=rows, columns=columns
    )


def profile(*, duplicates: int = 7, unreadable: int = 3) -> DatasetProfile:
    facts = dataset(
        column("order_id", distinct=190),
        column("day", ColumnKind.DATE, distinct=60, minimum="2024-01-03", maximum="2024-03-30", unparsable=2),
        column("product", distinct=3, missing=4),
        column("revenue", ColumnKind.NUMBER, distinct=150, minimum="1", maximum="99.5", unparsable=5, missing=6),
    )
    facts = facts.model_copy(update={"unreadable_rows": unreadable})
    return DatasetProfile(facts=facts, duplicate_rows=duplicates, duplicates_dropped=True)


def metrics(labels: tuple[str, ...] = ("SKU-12", "Blue <b>", "Tea")) -> Metrics:
    """Three months of one measure along one dimension; each figure follows from the sums in this function."""
    total = total_of(
        "revenue",
        RawTotal(
            rows=193,
            present=187,
            count=182,
            sum=Decimal("1234567.891"),
            minimum=Decimal("-20"),
            maximum=Decimal("99000.5"),
        ),
    )
    months = [
        Group(start=date(2024, 1, 1), rows=60, sums=(Decimal("400000"),)),
        Group(start=date(2024, 2, 1), rows=61, sums=(Decimal("387200"),)),
        Group(start=date(2024, 3, 1), rows=70, sums=(Decimal("435212.8"),)),
    ]
    groups = [
        Group(value=labels[0], rows=100, sums=(Decimal("600000"),)),
        Group(value=labels[1], rows=50, sums=(Decimal("400000"),)),
        Group(value=labels[2], rows=39, sums=(Decimal("230000"),)),
        Group(value=None, rows=4, sums=(Decimal("4567.891"),)),
    ]
    undated = Group(rows=2, sums=(Decimal("12155.091"),))
    return Metrics(
        shape=ReportShape(measures=("revenue",), dimensions=("product",), period_column="day"),
        rows=193,
        totals=(total,),
        breakdowns=(breakdown_of("product", groups, distinct=3, rows=193, totals=[total]),),
        trend=Trend(
            column="day",
            grain=Grain.MONTH,
            first=date(2024, 1, 3),
            last=date(2024, 3, 30),
            periods=periods_of(months, Grain.MONTH, ["revenue"]),
            undated=slice_of(undated, [total]),
        ),
    )


def report(
    *,
    rehearsal: bool = False,
    title: str = "Sales",
    note: str = "",
    labels: tuple[str, ...] = ("SKU-12", "Blue <b>", "Tea"),
    words: Narrative | None = None,
    charts: tuple[ReportChart, ...] = (),
) -> Report:
    return Report(
        title=title,
        note=note,
        run=ReportRun(
            run_id=UUID(int=42),
            org="demo",
            initiator="author@demo.example",
            started_at=datetime(2025, 1, 2, 3, 4, tzinfo=UTC),
            rehearsal=rehearsal,
            cost_usd=Decimal("0.01230000"),
        ),
        profile=profile(),
        metrics=metrics(labels),
        narrative=words or Narrative(headline="All is well", paragraphs=("First.", "Second.")),
        charts=charts,
    )


# Labels that look like figures, like parts of a sentence, or like an attack.
_UGLY_LABELS = (
    "12", "12%", "-3.5", "2024", "2024-03", "fell", "up by 5", "rose 10%", "1,234.5", "top 3", "A 7", "N°5", "½", "٣",
    'say "9" now', "“4”", "3 million", "line\nbreak 8", "x" * 90 + "1", "SKU-12", "SKU-12 blue", "<b>1</b>",
    "share of 3", "http://x.example/9", "www.y.example",
    "$5", "5k", "Q3", "May 5", ".", "0", "100 % pure", "\u202e12", "tab\t6", "a,b;7.", "(3)", "3rd", "{0}", "\\1",
)  # fmt: skip
_UGLY_NAMES = (
    "revenue",
    "units_2023",
    "growth rate",
    "fell by 3",
    "net sales (%)",
    "x1",
    "Größe 5",
    "to",
    "unit_price",
)


def random_figures(seed: int) -> tuple[DatasetProfile, Metrics]:
    """Return a profile and figures that agree with each other, with labels as ugly as they come."""
    random = Random(seed)  # noqa: S311 - tests want the same figures every time

    def number() -> Decimal:
        return Decimal(int((random.random() - 0.2) * 10 ** int(random.random() * 14))) / 10 ** int(random.random() * 6)

    measures = random.sample(_UGLY_NAMES, 1 + int(random.random() * 3))
    rows = 50 + int(random.random() * 5000)
    totals = [
        total_of(
            measure,
            RawTotal(rows=rows, present=rows - 3, count=rows - 9, sum=number(), minimum=number(), maximum=number()),
        )
        for measure in measures
    ]
    labels = random.sample(_UGLY_LABELS, 1 + int(random.random() * 12))
    groups = [
        Group(value=label, rows=1 + int(random.random() * 3), sums=tuple(number() for _ in measures))
        for label in labels
    ]
    breakdown = breakdown_of(
        random.choice(["product", "size 2", "by 5"]), groups, distinct=len(labels) + 4, rows=rows, totals=totals
    )
    shape = ReportShape(measures=tuple(measures), dimensions=(breakdown.dimension,), period_column="day 1")
    trend = _random_trend(random, measures, number)
    numbers = (column(name, ColumnKind.NUMBER, missing=3, unparsable=6, **_random_forms(random)) for name in measures)
    comparison = _random_comparison(random, measures, labels, number)
    facts = dataset(*numbers, column(breakdown.dimension), column("day 1", ColumnKind.DATE), rows=rows)
    return (
        DatasetProfile(facts=facts, duplicate_rows=int(random.random() * 9), duplicates_dropped=random.random() < 0.5),
        Metrics(
            shape=shape,
            rows=rows,
            totals=tuple(totals),
            breakdowns=(breakdown,),
            trend=trend,
            comparison=comparison,
        ),
    )


def _random_trend(random: Random, measures: list[str], number: Callable[[], Decimal]) -> Trend:
    grain = random.choice(list(Grain))
    starts = [date(2019 + int(random.random() * 4), 1, 1)]
    for _ in range(int(random.random() * 30)):
        starts.append(following(starts[-1], grain))
    groups = [
        Group(start=start, rows=5, sums=tuple(number() for _ in measures))
        for start in starts
        if random.random() < 0.9 or start == starts[0]
    ]
    last = groups[-1].start or starts[-1]
    return Trend(
        column="day 1",
        grain=grain,
        first=starts[0],
        last=last,
        periods=periods_of(groups, grain, measures),
        years=years_of(groups, measures) if grain is Grain.MONTH else (),
    )


def _random_forms(random: Random) -> dict[str, object]:
    return {
        "reading": random.choice([None, Reading(decimal=","), Reading(decimal=".", currency="USD")]),
        "other_format": random.randrange(3) * 7,
        "ambiguous": random.randrange(3) * 1234,
        "other_currency": random.randrange(2) * 11,
    }


def _random_comparison(
    random: Random, measures: list[str], labels: list[str], number: Callable[[], Decimal]
) -> Comparison:
    first = date(2019, 1, 1) + timedelta(days=random.randrange(1500))
    finished = first + timedelta(days=400 + random.randrange(900))
    last = finished + timedelta(days=400)
    periods = compared_periods(random.choice(list(Grain)), first=first, finished=finished, last=last)
    assert periods is not None
    starts = [start for start in (periods.start, periods.before, periods.year_before) if start]
    sums = {start: PeriodSums(rows=random.randrange(900), sums=tuple(number() for _ in measures)) for start in starts}
    moved = [MovedGroup(value=label, sum=number(), before=number()) for label in labels[:5]]
    movers = movers_of(
        "product",
        moved,
        values=len(moved) + random.randrange(3),
        now=sums[periods.start].sums[0],
        before=sums[periods.before].sums[0],
    )
    return comparison_of(periods, measures, sums, [movers])
