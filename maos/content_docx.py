"""A text as a Word document."""

from datetime import UTC
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from docx import Document
from docx.document import Document as WordDocument
from docx.text.paragraph import Paragraph

from maos.content_document import ContentDocument
from maos.labels import printable

# Zip files date what is in them: the same text has the same bytes whenever it is written.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def docx_of(document: ContentDocument) -> bytes:
    """Return the text as a Word document with a table of its sources."""
    word = Document()
    _describe(word, document)
    if document.run.rehearsal:
        mark = word.add_paragraph()
        mark.add_run("REHEARSAL ").bold = True
        mark.add_run(document.words.rehearsal)
    word.add_heading(_line(document.title), level=0)
    for section in document.sections:
        if section.heading:
            word.add_heading(_line(section.heading), level=1)
        for each in section.paragraphs:
            _marked(word.add_paragraph(_line(each.text)), each.sources)
    _add_sources(word, document)
    return _timeless(word)


def _describe(word: WordDocument, document: ContentDocument) -> None:
    about = word.core_properties
    about.title = _line(document.title)
    about.author = about.last_modified_by = document.run.org
    about.language = document.language.value
    about.comments = ""
    about.created = about.modified = document.run.started_at.astimezone(UTC).replace(tzinfo=None)


def _marked(paragraph: Paragraph, sources: tuple[int, ...]) -> None:
    for number in sources:
        paragraph.add_run(f"[{number}]").font.superscript = True


def _add_sources(word: WordDocument, document: ContentDocument) -> None:
    words = document.words
    word.add_heading(words.sources, level=1)
    table = word.add_table(rows=1, cols=3, style="Table Grid")
    rows = [(str(each.number), each.fact, f"{each.source} {each.link or ''}".rstrip()) for each in document.sources]
    for place, cells in enumerate([(words.number, words.fact, words.source), *rows]):
        row = table.rows[0] if place == 0 else table.add_row()
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = _line(text)


def _line(text: str) -> str:
    # XML takes no control characters.
    return printable(text, longest=5000)


def _timeless(word: WordDocument) -> bytes:
    written, same = BytesIO(), BytesIO()
    word.save(written)
    with ZipFile(written) as parts, ZipFile(same, "w", ZIP_DEFLATED) as kept:
        for part in parts.infolist():
            kept.writestr(ZipInfo(part.filename, _NO_TIME), parts.read(part), ZIP_DEFLATED)
    return same.getvalue()
