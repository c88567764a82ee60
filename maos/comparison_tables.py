"""The comparison of periods as tables and sentences of a report."""

from collections.abc import Iterator

from maos.charts import REST, UNLABELLED
from maos.comparison import Comparison, DimensionMovers, Mover
from maos.figures import NO_FIGURE, rounded, shown, shown_change, shown_percent
from maos.labels import heading, phrase, printable, row_words
from maos.periods import following, name_of
from maos.report_tables import Column, Table

_LONGEST_CELL = 80


def comparison_tables(comparison: Comparison | None) -> tuple[Table, ...]:
    """Return the tables of a comparison: the measures, and what moved the leading one."""
    if comparison is None:
        return ()
    return (_measures_table(comparison), *(_movers_table(comparison, each) for each in comparison.dimensions))


def compared_names(comparison: Comparison) -> tuple[str, str]:
    """Return the names of the period and of the one before, as sentences have them."""
    periods = comparison.periods
    return name_of(periods.start, periods.grain), name_of(periods.before, periods.grain)


def comparison_rule(comparison: Comparison) -> str:
    """Return which periods are compared, and why these."""
    periods, (name, before) = comparison.periods, compared_names(comparison)
    said = f"{_headed(name)} ({row_words(comparison.rows)}) against {before} ({row_words(comparison.rows_before)})."
    if periods.unfinished:
        unfinished = name_of(periods.unfinished, periods.grain)
        said += f" The data end within {unfinished}, which may be unfinished and is left out."
        if following(periods.start, periods.grain) != periods.unfinished:
            said += f" They have nothing between {name} and {unfinished}."
    else:
        said += f" The data reach the last day of {name}."
    if periods.begins_with_data:
        said += f" The data begin in {before}, which may lack its first days."
    return said


def comparison_detail(comparison: Comparison) -> str:
    """Return the movement of the leading measure in a few words."""
    leading, grain = comparison.measures[0], comparison.periods.grain.value
    if leading.change is None:
        return f"{rounded(leading.before)} in the {grain} before"
    return f"{shown_change(leading.change)} on the {grain} before"


def _measures_table(comparison: Comparison) -> Table:
    year = comparison.label_year_before
    titles = [
        comparison.label,
        comparison.label_before,
        "Difference",
        "Change",
        *([year, "On the year"] if year else []),
    ]
    return Table(
        title=_headed(" against ".join(compared_names(comparison))),
        caption=comparison_rule(comparison),
        columns=_columns("Measure", titles),
        rows=tuple(
            (
                heading(each.measure),
                *(shown(value) for value in (each.sum, each.before, each.step)),
                shown_change(each.change),
                *(
                    (
                        NO_FIGURE if each.year_before is None else shown(each.year_before),
                        shown_change(each.change_on_year),
                    )
                    if year
                    else ()
                ),
            )
            for each in comparison.measures
        ),
    )


def _movers_table(comparison: Comparison, moved: DimensionMovers) -> Table:
    measure = phrase(comparison.measures[0].measure)
    return Table(
        title=f"What moved {measure}, by {phrase(moved.dimension)}",
        caption="The values that moved most, and their parts of the whole change; parts against it are negative.",
        columns=_columns(
            heading(moved.dimension), [comparison.label, comparison.label_before, "Difference", "Part of the change"]
        ),
        rows=tuple(_mover_rows(moved)),
    )


def _mover_rows(moved: DimensionMovers) -> Iterator[tuple[str, ...]]:
    for each in moved.movers:
        yield _mover_row(UNLABELLED if each.value is None else printable(each.value, _LONGEST_CELL), each)
    if moved.rest:
        yield _mover_row(f"{REST} ({moved.others:,})", moved.rest)


def _mover_row(label: str, mover: Mover) -> tuple[str, ...]:
    return (label, shown(mover.sum), shown(mover.before), shown(mover.step), shown_percent(mover.share))


def _columns(first: str, numeric: list[str]) -> tuple[Column, ...]:
    return (Column(title=first), *(Column(title=title, numeric=True) for title in numeric))


def _headed(name: str) -> str:
    return name[:1].upper() + name[1:]
