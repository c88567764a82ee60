"""Pictures in small: the thumbnail of one, and a page that shows all of a batch with what is missing."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from textwrap import wrap

from PIL import Image, ImageDraw, ImageFont

_THUMBNAIL_SIDE = 256
_CELL, _MARGIN, _CAPTION = 340, 20, 40
_MOST_COLUMNS = 4
_LETTERS_A_LINE = 32
_REHEARSAL = "REHEARSAL: drawn by rule, no engine was called."


@dataclass(frozen=True)
class Cell:
    """One place of a contact sheet: a picture, or the reason why there is none."""

    caption: str
    png: bytes | None = None
    reason: str = ""


def thumbnail_of(png: bytes) -> bytes:
    """Return a picture in small, as PNG; the same picture gives the same bytes."""
    return _saved(_fitted(png, _THUMBNAIL_SIDE))


def contact_sheet(cells: Sequence[Cell], *, rehearsal: bool) -> bytes:
    """Return all cells on one page, as PNG; the same cells give the same bytes."""
    columns = min(len(cells), _MOST_COLUMNS)
    rows = -(-len(cells) // columns)
    top = _MARGIN + (_CAPTION if rehearsal else 0)
    step, height = _CELL + _MARGIN, _CELL + _CAPTION + _MARGIN
    # A single picture leaves room for the line above it.
    sheet = Image.new("RGB", (max(columns * step + _MARGIN, 2 * step), top + rows * height), "white")
    drawing = ImageDraw.Draw(sheet)
    if rehearsal:
        drawing.text((_MARGIN, _MARGIN), _REHEARSAL, fill="#a00000", font=ImageFont.load_default(22))
    for position, cell in enumerate(cells):
        _draw(sheet, drawing, cell, (_MARGIN + position % columns * step, top + position // columns * height))
    return _saved(sheet)


def _draw(sheet: Image.Image, drawing: ImageDraw.ImageDraw, cell: Cell, at: tuple[int, int]) -> None:
    left, top = at
    middle = (left + _CELL // 2, top + _CELL // 2)
    if cell.png is None:
        drawing.rectangle((left, top, left + _CELL, top + _CELL), fill="#eeeeee", outline="#999999")
        words = "\n".join(wrap(cell.reason, _LETTERS_A_LINE))
        drawing.multiline_text(
            middle, words, fill="#a00000", font=ImageFont.load_default(18), anchor="mm", align="center"
        )
    else:
        small = _fitted(cell.png, _CELL)
        sheet.paste(small, (middle[0] - small.width // 2, middle[1] - small.height // 2))
    drawing.text((left, top + _CELL + 8), cell.caption, fill="black", font=ImageFont.load_default(20))


def _fitted(png: bytes, side: int) -> Image.Image:
    with Image.open(BytesIO(png), formats=["PNG"]) as image:
        small = image.convert("RGBA") if image.has_transparency_data else image.convert("RGB")
    small.thumbnail((side, side))
    if small.mode == "RGBA":
        ground = Image.new("RGB", small.size, "white")
        ground.paste(small, mask=small.getchannel("A"))
        return ground
    return small


def _saved(image: Image.Image) -> bytes:
    target = BytesIO()
    image.info.clear()
    image.save(target, format="PNG")
    return target.getvalue()
