"""The report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere."""

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from maos.charts import ACCENT, FAINT, GRID, INK, MUTED
from maos.comparison_tables import comparison_tables
from maos.labels import printable
from maos.report import Report, key_figures, methods, moment
from maos.report_tables import period_covered, tables_of

# Colours of the charts become those of the page, which has a light and a dark set.
_PAGE_COLOURS: dict[str, str] = {INK: "--ink", MUTED: "--muted", GRID: "--line", ACCENT: "--accent", FAINT: "--faint"}
_TAG = re.compile(r"<[^>]*>")
# A style sheet in a drawing would reach out of it, over the whole page.
_NOT_DRAWN = re.compile(r"<(metadata|style)\b.*?</\1>", re.DOTALL)


def html_of(report: Report) -> str:
    """Return the report as a page."""
    drawings = [inlined(chart.svg, f"chart-{number}") for number, chart in enumerate(report.charts, start=1)]
    return page_template("report.html.j2").render(
        report=report,
        title=printable(report.title, longest=200),
        figures=key_figures(report),
        drawings=drawings,
        comparison=comparison_tables(report.metrics.comparison),
        tables=tables_of(report.profile, report.metrics),
        notes=methods(report),
        period=period_covered(report.metrics.trend),
        started=moment(report.run.started_at),
    )


@cache
def page_template(name: str) -> Template:
    """Return a page of this project, whose places are escaped."""
    pages = Environment(
        loader=PackageLoader("maos"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return pages.get_template(name)


def inlined(svg: str, prefix: str) -> Markup:
    """Return a drawing for the page, with names of its own and the page's colours; text between tags stays as it is."""
    body = _NOT_DRAWN.sub("", svg[svg.index("<svg") :])
    used = set(re.findall(r"(?:url\(|href=\")#([\w.-]+)", body))
    return Markup(_TAG.sub(lambda tag: _adapted(tag.group(), prefix, used), body))  # noqa: S704 - escaped where drawn


def _adapted(tag: str, prefix: str, used: set[str]) -> str:
    if tag.startswith("<svg"):
        box = re.search(r'viewBox="[^"]*"', tag)
        return f'<svg {box.group() if box else ""} aria-hidden="true" focusable="false">'
    tag = re.sub(r' id="([\w.-]+)"', lambda found: f' id="{prefix}-{found[1]}"' if found[1] in used else "", tag)
    tag = re.sub(r'(url\(|(?:xlink:)?href=")#', lambda found: f"{found[1].removeprefix('xlink:')}#{prefix}-", tag)
    for colour, name in _PAGE_COLOURS.items():
        tag = tag.replace(f": {colour}", f": var({name}, {colour})")
    return tag
