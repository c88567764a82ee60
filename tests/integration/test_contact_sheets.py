"""Pictures in small: thumbnails, and the sheet that shows a batch."""

from io import BytesIO

import pytest
from PIL import Image

from tasks.contact_sheets import Cell, contact_sheet, thumbnail_of
from tests.gemini_server import picture

MISSING = Cell("2   not made", reason="the picture was refused: it is too close to an existing work")


def opened(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png))


def test_a_thumbnail_is_small_and_has_the_shape_of_its_picture() -> None:
    assert opened(thumbnail_of(picture(size=(1024, 512)))).size == (256, 128)
    assert opened(thumbnail_of(picture(size=(64, 48)))).size == (64, 48)


def test_what_can_be_seen_through_stands_on_white() -> None:
    target = BytesIO()
    Image.new("RGBA", (10, 10), (255, 0, 0, 0)).save(target, format="PNG")

    small = opened(thumbnail_of(target.getvalue()))

    assert (small.mode, small.getpixel((5, 5))) == ("RGB", (255, 255, 255))


@pytest.mark.parametrize(("count", "size"), [(1, (720, 420)), (4, (1460, 420)), (5, (1460, 820)), (8, (1460, 820))])
def test_a_sheet_has_rows_of_four(count: int, size: tuple[int, int]) -> None:
    cells = [Cell(str(number), png=picture()) for number in range(count)]

    assert opened(contact_sheet(cells, rehearsal=False)).size == size


def test_every_picture_is_on_the_sheet_and_a_missing_one_has_a_place_of_its_own() -> None:
    sheet = opened(contact_sheet([Cell("1", png=picture()), MISSING, Cell("3", png=picture())], rehearsal=False))
    middles = [sheet.getpixel((20 + number * 360 + 170, 20 + 170)) for number in (0, 2)]

    teal = opened(picture()).getpixel((0, 0))
    assert middles == [teal, teal]
    assert sheet.getpixel((20 + 360 + 5, 25)) == (238, 238, 238)


def test_a_sheet_follows_from_its_cells_and_says_when_it_is_a_rehearsal() -> None:
    cells = [Cell("1", png=picture()), MISSING]

    assert contact_sheet(cells, rehearsal=False) == contact_sheet(cells, rehearsal=False)
    assert contact_sheet(cells, rehearsal=True) != contact_sheet(cells, rehearsal=False)
