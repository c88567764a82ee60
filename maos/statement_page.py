"""A statement as one HTML page for people: self-contained, fit to be printed."""

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from maos.billing import Statement
from maos.billing_months import BillingMonth
from maos.labels import printable


def page_of(statement: Statement) -> str:
    """Return the page; whatever comes with the data is escaped and on one line."""
    return _template().render(
        statement=statement,
        period=BillingMonth.read(statement.month),
        sections=[("Usage", statement.usage), ("Corrections of earlier months", statement.corrections)],
        digest=statement.digest,
    )


@cache
def _template() -> Template:
    pages = Environment(
        loader=PackageLoader("maos"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    pages.filters["shown"] = lambda text: printable(text, longest=200)
    pages.filters["figure"] = lambda amount: f"{amount:f}"
    return pages.get_template("statement.html.j2")
