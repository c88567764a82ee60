"""Pictures that the engine is shown: found where runs may read, and sent as nothing but pictures."""

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from maos.errors import EngineFailure
from maos.images import ReferenceImage
from maos.settings import Settings
from tasks.reference_images import find_reference, reference_png
from tests.gemini_server import picture

RIGHT_SIDE_UP, TURNED = 1, 6


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(dataset_roots=[tmp_path])


def sent(file: Path, settings: Settings) -> Image.Image:
    reference = find_reference(file.name, org="demo", settings=settings)
    return Image.open(BytesIO(reference_png(reference, org="demo", settings=settings)))


@pytest.mark.parametrize(("turn", "size"), [(RIGHT_SIDE_UP, (1024, 512)), (TURNED, (512, 1024))])
def test_a_photo_is_sent_upright_of_a_bounded_size_and_without_its_places(
    tmp_path: Path, settings: Settings, turn: int, size: tuple[int, int]
) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = turn, "canary"
    Image.new("RGB", (2000, 1000), "teal").save(tmp_path / "photo.jpg", exif=exif)

    shown = sent(tmp_path / "photo.jpg", settings)

    assert (shown.format, shown.size, shown.info) == ("PNG", size, {})
    assert dict(shown.getexif()) == {}


@pytest.mark.parametrize("name", ["logo.png", "logo.webp"])
def test_a_logo_keeps_what_can_be_seen_through(tmp_path: Path, settings: Settings, name: str) -> None:
    Image.new("RGBA", (40, 30), (255, 0, 0, 0)).save(tmp_path / name, lossless=True)

    shown = sent(tmp_path / name, settings)

    assert (shown.mode, shown.size) == ("RGBA", (40, 30))


def test_the_same_file_is_the_same_reference_and_another_is_not_sent(tmp_path: Path, settings: Settings) -> None:
    logo = tmp_path / "logo.png"
    logo.write_bytes(picture())
    reference = find_reference("logo.png", org="demo", settings=settings)
    assert find_reference("logo.png", org="demo", settings=settings) == reference

    with pytest.raises(EngineFailure, match="has changed since the plan was made"):
        reference_png(ReferenceImage(file="logo.png", digest="0" * 64), org="demo", settings=settings)
