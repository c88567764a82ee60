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
_SIGNATURE_BYTES = 8
# No profile of colours: it names who made it, and the engine's pictures are in the usual colours.
_CHUNKS_OF_A_PICTURE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"sRGB", b"gAMA", b"cHRM", b"IDAT", b"IEND"})


@dataclass(frozen=True)
class Picture:
    """A PNG file and its size in pixels."""

    png: bytes
    width: int
    height: int


def checked_png(content: bytes, media_type: str) -> Picture:
    """Return an image as PNG, if its bytes are an image of the type they claim; nothing but the picture is kept.

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
            png = _plain(content) if kind == "PNG" else _saved(image)
            return Picture(png, image.width, image.height)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        # What the library says of the bytes may repeat them.
        raise EngineFailure(FailureKind.UNUSABLE_OUTPUT, f"the bytes are no whole {media_type}") from None


def _plain(png: bytes) -> bytes:
    """Return a whole PNG without what else an engine wrote into it: its vendor's name, its model, the prompt."""
    kept, at = [png[:_SIGNATURE_BYTES]], _SIGNATURE_BYTES
    while at < len(png):
        end = at + 12 + int.from_bytes(png[at : at + 4])
        if (name := png[at + 4 : at + 8]) in _CHUNKS_OF_A_PICTURE:
            kept.append(png[at:end])
        if name == b"IEND":
            break
        at = end
    return b"".join(kept)


def _check_end(content: bytes, kind: str) -> None:
    # Unpacking forgives a PNG that is cut near its end; reading its chunks does not.
    with Image.open(BytesIO(content), formats=[kind]) as image:
        image.verify()


def rehearsed_png(digest: str, aspect_ratio: AspectRatio) -> Picture:
    """Return the picture of a rehearsal: it follows from the digest alone, and says what it is."""
    wide, high = map(int, aspect_ratio.split(":"))
    scale = _LONGEST_SIDE / max(wide, high)
    width, height = round(wide * scale), round(high * scale)
    seed = sha256(digest.encode()).digest()
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
    plain = image.convert("RGB")
    # A profile of colours would be saved along.
    plain.info.clear()
    plain.save(target, format="PNG", pnginfo=notes)
    return target.getvalue()
