"""The picture of a rehearsal, and what is taken for a picture of the engine."""

from io import BytesIO
from typing import get_args

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.images import AspectRatio
from tasks.images import checked_png, rehearsed_png
from tests.gemini_server import picture


@pytest.mark.parametrize("aspect_ratio", get_args(AspectRatio))
def test_a_rehearsed_picture_has_the_shape_that_was_asked_for(aspect_ratio: AspectRatio) -> None:
    drawn = rehearsed_png("0" * 64, aspect_ratio)
    wide, high = map(int, aspect_ratio.split(":"))

    assert Image.open(BytesIO(drawn.png)).size == (drawn.width, drawn.height)
    assert drawn.width / drawn.height == pytest.approx(wide / high, rel=0.01)


def test_a_rehearsed_picture_follows_from_its_prompt_and_is_marked() -> None:
    first, again, other = (rehearsed_png(digest, "1:1").png for digest in ("a" * 64, "a" * 64, "b" * 64))

    assert first == again
    assert first != other
    assert Image.open(BytesIO(first)).info["Comment"].startswith("REHEARSAL")


def test_a_png_stays_as_it_is() -> None:
    assert checked_png(picture(), "image/png").png == picture()


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_nothing_is_kept_but_the_picture(kind: str) -> None:
    notes, exif, target = PngInfo(), Image.Exif(), BytesIO()
    notes.add_text("Software", "canary")
    notes.add_itxt("XML:com.adobe.xmp", "canary")
    exif[0x010E] = "canary"
    drawn = Image.effect_noise((64, 48), 60).convert("RGB")
    drawn.save(target, format=kind, pnginfo=notes, exif=exif, icc_profile=b"canary" * 30)
    assert b"canary" in target.getvalue() or kind == "PNG"

    kept = checked_png(target.getvalue(), f"image/{kind.lower()}").png

    assert b"canary" not in kept
    assert Image.open(BytesIO(kept)).info == {}
    with Image.open(BytesIO(target.getvalue())) as before:
        assert Image.open(BytesIO(kept)).tobytes() == before.convert("RGB").tobytes()


@pytest.mark.parametrize("content", [b"", picture()[:-20], picture("JPEG"), b"\x89PNG\r\n\x1a\n" + b"0" * 100])
def test_what_is_not_a_whole_png_is_refused(content: bytes) -> None:
    with pytest.raises(EngineFailure) as caught:
        checked_png(content, "image/png")

    assert caught.value.kind is FailureKind.UNUSABLE_OUTPUT


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(EngineFailure, match="more than 40,000,000 pixels"):
        checked_png(picture(size=(8000, 5001)), "image/png")
