"""What a reader sees of a message in HTML: text without markup, and without what is hidden from people."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

# The parser takes quadratic time over tags that do not match.
_LONGEST = 500_000
_MOST_TAGS = 20_000
_UNSEEN = frozenset({"script", "style", "head", "title", "template", "noscript", "svg", "object", "iframe", "textarea"})
_BLOCKS = frozenset(
    {"p", "div", "br", "tr", "li", "ul", "ol", "table", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "pre", "section"}
)
_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(hidden|collapse)|opacity\s*:\s*0*(\.0+)?(?![.\d])|mso-hide\s*:\s*all"
    r"|font-size\s*:\s*0*[01]?(\.\d+)?(px|pt|em|rem|%)?\s*(;|!|$)|(max-)?(height|width)\s*:\s*0(px|pt|em)?\s*(;|!|$)"
    r"|(left|top|text-indent)\s*:\s*-\d{3,}|clip(-path)?\s*:|transform\s*:[^;]*scale\(0",
    re.IGNORECASE,
)
_COLOUR = re.compile(r"(?<![-\w])color\s*:\s*([^;!]+)", re.IGNORECASE)
_BACKGROUND = re.compile(r"background(?:-color)?\s*:\s*([^;!]+)", re.IGNORECASE)
_WHITE = frozenset({"#fff", "#ffffff", "white", "transparent", "rgb(255,255,255)", "rgba(255,255,255,1)"})


@dataclass(frozen=True)
class VisibleText:
    """The text of a page, and how much of it nobody would have seen."""

    text: str
    hidden: int


def visible_text(html: str) -> VisibleText:
    """Return what a person reads of a page in HTML; never fails."""
    reader = _Reader()
    # A null would end the page, and a lone surrogate cannot be told to the parser.
    page = _cut(html).replace("\0", "").encode("utf-8", errors="replace")
    if page.strip():
        parser = etree.HTMLParser(target=reader, encoding="utf-8", recover=True, no_network=True, huge_tree=True)
        parser.feed(page)
        parser.close()
    lines = (" ".join(line.split()) for line in "".join(reader.seen).split("\n"))
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return VisibleText(text, reader.hidden)


def _cut(html: str) -> str:
    html = html[:_LONGEST]
    if html.count("<") <= _MOST_TAGS:
        return html
    return "<".join(html.split("<", _MOST_TAGS)[:_MOST_TAGS])


class _Reader:
    """Is told of tags and text by the parser; keeps the text that is seen, and counts the letters that are hidden."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.hidden = 0
        self._open: list[tuple[bool, bool]] = []
        self._unseen = self._hiding = 0

    def start(self, tag: str, attrib: Mapping[str, str]) -> None:
        """Take the beginning of an element."""
        if tag in _BLOCKS:
            self.seen.append("\n")
        unseen, hides = tag in _UNSEEN, _hides(attrib)
        self._open.append((unseen, hides))
        self._unseen += unseen
        self._hiding += hides

    def end(self, tag: str) -> None:
        """Take the end of an element; the parser ends each that it began."""
        if tag in _BLOCKS:
            self.seen.append("\n")
        unseen, hides = self._open.pop()
        self._unseen -= unseen
        self._hiding -= hides

    def data(self, text: str) -> None:
        """Take a piece of text."""
        if self._unseen:
            return
        if self._hiding:
            self.hidden += len(text.strip())
            return
        self.seen.append(text.replace("\n", " "))

    def close(self) -> None:
        """Take the end of the page."""


def _hides(values: Mapping[str, str]) -> bool:
    if "hidden" in values or values.get("aria-hidden", "").lower() == "true":
        return True
    style = values.get("style", "")
    return bool(_HIDING.search(style)) or _is_on_its_own_colour(style, values.get("color", ""))


def _is_on_its_own_colour(style: str, attribute: str) -> bool:
    found, behind = _COLOUR.search(style), _BACKGROUND.search(style)
    colour = _colour(found[1] if found else attribute)
    if not colour:
        return False
    return colour == _colour(behind[1]) if behind else colour in _WHITE


def _colour(text: str) -> str:
    return "".join(text.split()).lower()
