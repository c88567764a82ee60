"""Briefs and texts, as the tests of content need them."""

from typing import Any

from maos.content import Paragraph, Section, WrittenContent
from maos.content_brief import Brief

FACTS = [
    {"text": "Nordwind Coffee opens a roastery in Bremen on 12 January 2027.", "source": "Minutes"},
    {"text": "It has 48 employees and roasts 1,200 tonnes a year.", "source": "Site plan"},
    {
        "text": "Revenue rose by 8.2% to 41.5 million euros in 2025.",
        "source": "Accounts",
        "link": "https://n.example/a|b",
    },
]


def brief(**fields: Any) -> Brief:
    """Return a brief on a roastery."""
    given = {"about": "The opening of a roastery.", "audience": "Newspapers", "facts": FACTS}
    return Brief.model_validate(given | fields)


def text(*paragraphs: str, title: str = "A new roastery", **fields: Any) -> WrittenContent:
    """Return a text of these paragraphs."""
    written = tuple(Paragraph(text=each) for each in paragraphs)
    return WrittenContent(title=title, sections=(Section(paragraphs=written),), **fields)
