"""Images as PNG files: those of the engine, checked; and those of a rehearsal, drawn by rule."""

from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from maos.errors import EngineFailure
from maos.failures import FailureKind
from maos.images import AspectRatio
from maos.labels import printable

# By the name of the type: how the library calls it.
_FORMATS = {"image/png": "PNG", "image/jpeg": "JPEG"}
_MOST_PIXELS = 40_000_000
_LONGEST_SIDE = 1024
_MARK = "REHEARSAL"


@dataclass(frozen=True)
class Picture:
    """A PNG file and its size in pixels."""

    png: bytes
    width: int
    height: int


def checked_png(content: bytes, media_type: str) -> Picture:
    """Return an image as PNG, if its bytes are an image of the type they claim; a PNG stays as it is.

    Raises:
        EngineFailure: when they are not.
    """
    kind = _FORMATS.get(media_type)
    if kind is None:
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, f"not an image of a known type: {printable(media_type, 60)}")
    try:
        _check_end(content, kind)
        with Image.open(BytesIO(content), formats=[kind]) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, f"more than {_MOST_PIXELS:,} pixels")
            image.load()
            png = content if kind == "PNG" else _saved(image)
            return Picture(png, image.width, image.height)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        # What the library says of the bytes may repeat them.
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, f"the bytes are no whole {media_type}") from None


def _check_end(content: bytes, kind: str) -> None:
    # Unpacking forgives a PNG that is cut near its end; reading its chunks does not.
    with Image.open(BytesIO(content), formats=[kind]) as image:
        image.verify()


def rehearsed_png(prompt_digest: str, aspect_ratio: AspectRatio) -> Picture:
    """Return the picture of a rehearsal: it follows from the prompt alone, and says what it is."""
    wide, high = map(int, aspect_ratio.split(":"))
    scale = _LONGEST_SIDE / max(wide, high)
    width, height = round(wide * scale), round(high * scale)
    seed = sha256(prompt_digest.encode()).digest()
    image = Image.new("RGB", (width, height), _pale(seed[:3]))
    drawing = ImageDraw.Draw(image)
    for left, top, size, *colour in (seed[at : at + 6] for at in range(3, 27, 6)):
        x, y, radius = left * width // 255, top * height // 255, 40 + size // 2
        drawing.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_pale(bytes(colour)))
    middle = (width // 2, height // 2)
    drawing.text(middle, _MARK, fill="black", font=ImageFont.load_default(min(width, height) // 5), anchor="mm")
    return Picture(_saved(image, comment=f"{_MARK}: drawn by rule, no engine was called."), width, height)


def _pale(colour: bytes) -> tuple[int, int, int]:
    red, green, blue = (160 + part * 80 // 255 for part in colour)
    return red, green, blue


def _saved(image: Image.Image, *, comment: str = "") -> bytes:
    target, notes = BytesIO(), PngInfo()
    if comment:
        notes.add_text("Comment", comment)
    image.convert("RGB").save(target, format="PNG", pnginfo=notes)
    return target.getvalue()
