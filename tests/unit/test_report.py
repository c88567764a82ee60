"""The report as a page and as Markdown: complete, self-contained, and proof against what the data contain."""

import re
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from maos.charts import ChartKind, charts_for
from maos.narrative import Narrative
from maos.report import Report, ReportChart, key_figures, methods
from maos.report_html import html_of
from maos.report_markdown import escaped, markdown_of, preview_of
from maos.report_tables import tables_of
from tests.report_data import DIGEST, metrics, profile, report

ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "</td></tr></table><iframe src='//evil.example'></iframe>",
    "{{ 7 * 7 }} {% include 'x' %} ${7*7}",
    "a | b || c",
    "[click](javascript:alert(3)) ![p](http://evil.example/p.png)",
    "<http://evil.example> www.evil.example me@evil.example",
    "# heading\n- item\n> quote\n\n---\n`code` **bold** ~~gone~~ &lt;",
    "-->]]><!--",
)
SVG = (
    '<?xml version="1.0"?>\n<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/svg11.dtd">\n'
    '<svg xmlns:xlink="http://www.w3.org/1999/xlink" width="10pt" height="5pt" viewBox="0 0 10 5"'
    ' xmlns="http://www.w3.org/2000/svg" version="1.1">\n<metadata><a/></metadata>'
    '<defs><style type="text/css">*{stroke: red}</style><clipPath id="p1"><rect/></clipPath></defs>'
    '<g id="unused"><path clip-path="url(#p1)" style="fill: #1d5d8f"/><use xlink:href="#p1"/>'
    '<text style="fill: #1c2733">id="unused" : #1d5d8f &lt;script&gt;</text></g></svg>'
)
CHART = ReportChart(title="Revenue per month", alt="Rises to 5.", svg=SVG)
WORDS = Narrative(headline="Tea rose", paragraphs=("It did.",), caveats=("Few rows.",))


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]


def attacked(attack: str) -> Report:
    words = Narrative(headline=attack, paragraphs=(attack,), caveats=(attack,))
    chart = ReportChart(title=attack, alt=attack, svg=SVG)
    return report(title=attack, note=attack, labels=(attack, f"{attack} 2", "Tea"), words=words, charts=(chart,))


def rendered_markdown(text: str) -> Page:
    return Page(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))


def test_a_page_needs_nothing_from_elsewhere_and_runs_nothing() -> None:
    text = html_of(report(words=WORDS, charts=(CHART,)))
    page = Page(text)

    assert not {"script", "link", "iframe", "object", "embed", "img", "form", "base"} & set(page.tags)
    assert page.values("src") == []
    assert all(value.startswith("#chart-1-") for value in page.values("href"))
    assert not re.search(r"https?://|@import|url\((?!#)", text)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert "default-src 'none'" in text


def test_a_page_can_be_read_without_seeing_it() -> None:
    page = Page(html_of(report(words=WORDS, charts=(CHART,))))

    assert ("html", "lang", "en") in page.attributes
    assert page.tags.count("table") == page.tags.count("caption") == 4
    assert set(page.values("scope")) == {"col", "row"}
    assert ("div", "aria-label", "Rises to 5.") in page.attributes
    assert ("svg", "aria-hidden", "true") in page.attributes


def test_a_drawing_is_put_into_the_page_with_names_and_colours_of_the_page() -> None:
    page = html_of(report(charts=(CHART, CHART)))
    drawing = page[page.index("<svg") : page.index("</svg>")]

    assert '<svg viewBox="0 0 10 5" aria-hidden="true" focusable="false">' in drawing
    assert '<path clip-path="url(#chart-1-p1)" style="fill: var(--accent, #1d5d8f)"/>' in drawing
    assert '<use href="#chart-1-p1"/>' in drawing
    assert 'id="unused" : #1d5d8f &lt;script&gt;</text>' in drawing
    assert "<style" not in drawing
    assert "<metadata" not in drawing
    assert len(Page(page).values("id")) == len(set(Page(page).values("id"))) == 2


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_the_data_contain_has_no_effect_on_the_page(attack: str) -> None:
    clean, page = Page(html_of(attacked("harmless"))), Page(html_of(attacked(attack)))

    assert page.tags == clean.tags
    assert [name for _, name, _ in page.attributes] == [name for _, name, _ in clean.attributes]


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_the_data_contain_has_no_effect_in_markdown(attack: str) -> None:
    for written in (markdown_of, lambda each: preview_of(each, places=("a.html",))):
        clean, page = rendered_markdown(written(attacked("harmless"))), rendered_markdown(written(attacked(attack)))

        assert page.tags == clean.tags
        assert "a" not in page.tags
        assert "img" not in page.tags


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("1. first", r"1\. first"),
        ("- item", r"\- item"),
        ("-3.2% and +4", "-3.2% and +4"),
        ("http://x.example", r"http\://x\.example"),
        ("me@x.example", r"me\@x\.example"),
        ("1,234.56", "1,234.56"),
        ("two\nlines\r\n\u202eand\x00more", "two lines and more"),
    ],
)
def test_text_is_escaped_no_more_than_it_must_be(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_page_and_markdown_say_the_same() -> None:
    whole = report(words=WORDS, charts=(CHART,), note="For the board.")
    page, twin = Page(html_of(whole)), rendered_markdown(markdown_of(whole))

    for table in tables_of(whole.profile, whole.metrics):
        for cell in (cell for row in table.rows for cell in row):
            assert cell in page.text
            assert cell in twin.text
    for text in ("Tea rose", "It did.", "Few rows.", "For the board.", DIGEST, "Rises to 5.", "0.01230000 USD"):
        assert text in page.text
        assert text in twin.text


def test_a_rehearsal_is_marked_in_every_form_and_nothing_else_is() -> None:
    rehearsed, real = report(rehearsal=True), report()

    for written in (html_of, markdown_of, lambda each: preview_of(each, places=("a.html",))):
        assert "REHEARSAL" in written(rehearsed)
        assert "rehearsal" not in re.sub(r"\.rehearsal.*", "", written(real)).lower()


def test_the_same_report_is_the_same_bytes() -> None:
    assert html_of(report(charts=(CHART,))) == html_of(report(charts=(CHART,)))
    assert markdown_of(report()) == markdown_of(report())


def test_no_vendor_is_named() -> None:
    text = html_of(report(words=WORDS)) + markdown_of(report(words=WORDS))

    assert not re.search(r"anthropic|claude|openai|gemini|google|matplotlib", text, re.IGNORECASE)


def test_the_methods_tell_where_the_figures_come_from_and_what_was_left_out() -> None:
    notes = {note.term: note.text for note in methods(report())}

    assert notes["Source"] == "sales_2024.csv (CSV, 1,234 bytes)"
    assert notes["Data digest"] == f"SHA-256 {DIGEST}"
    assert notes["Period covered"] == "3 January 2024 to 30 March 2024"
    assert notes["Rows"] == "200 read, 193 counted."
    assert notes["Unreadable lines"].startswith("3 ")
    assert notes["Duplicate rows"].startswith("7 repeat an earlier row in every column; counted once")
    assert notes["Run"] == (
        "00000000-0000-0000-0000-00000000002a, asked for by author@demo.example, started 2025-01-02 03:04 UTC"
    )


def test_key_figures_are_the_totals_and_what_they_are_made_of() -> None:
    assert [(figure.label, figure.value, figure.detail) for figure in key_figures(report())] == [
        ("Revenue", "1,234,568", "6,783 on average"),
        ("Rows counted", "193", "3 January 2024 to 30 March 2024"),
    ]


def test_the_tables_hold_every_figure_and_every_loss() -> None:
    totals, products, months, quality = tables_of(profile(), metrics())

    assert totals.rows == (("Revenue", "1,234,567.89", "6,783.34", "-20", "99,000.50", "182"),)
    assert products.rows == (
        ("SKU-12", "100", "600,000", "48.6%"),
        ("Blue <b>", "50", "400,000", "32.4%"),
        ("Tea", "39", "230,000", "18.6%"),
        ("(missing)", "4", "4,567.89", "0.4%"),
    )
    assert months.rows == (
        ("2024-01", "60", "400,000", "—", "—"),
        ("2024-02", "61", "387,200", "-3.2%", "—"),
        ("2024-03", "70", "435,212.80", "+12.4%", "—"),
        ("(no date)", "2", "12,155.09", "—", "—"),
    )
    assert quality.rows[3] == ("revenue", "number", "6", "5", "0", "0", "150", "1", "99.50", "—")


def test_a_preview_shows_what_will_be_published_and_where() -> None:
    text = preview_of(
        report(words=WORDS, note="Mind the gap."), places=("published/report.html", "published/report.md")
    )

    assert "`published/report.html` and `published/report.md`" in text
    for part in ("# Sales", "Mind the gap.", "**Tea rose**", "It did.", "Few rows.", "1,234,567.89", DIGEST):
        assert part in text


def test_charts_are_chosen_by_the_figures() -> None:
    line, bars = charts_for(metrics())

    assert (line.kind, line.title, line.labels) == (
        ChartKind.LINE,
        "Revenue per month",
        ("2024-01", "2024-02", "2024-03"),
    )
    assert line.alt == (
        "Line from January 2024 with 400,000 to March 2024 with 435,213; highest in March 2024 with 435,213."
    )
    assert (bars.kind, bars.title, bars.labels, bars.unranked) == (
        ChartKind.BARS,
        "Revenue by product",
        ("SKU-12", "Blue <b>", "Tea", "(missing)"),
        1,
    )
    assert bars.remarks[0] == "600,000  (48.6%)"


def test_a_report_without_dates_has_no_trend() -> None:
    figures = metrics().model_copy(update={"trend": None})
    whole = report().model_copy(update={"metrics": figures})

    assert [spec.kind for spec in charts_for(figures)] == [ChartKind.BARS]
    assert "no dates" in html_of(whole)
    assert "By month" not in markdown_of(whole)
