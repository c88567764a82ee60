"""Finds the pictures that the image engine is shown, in allowed folders, and takes everything off but the picture."""

import hashlib
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps

from maos.errors import BadInput, EngineFailure
from maos.failures import FailureKind
from maos.images import ReferenceImage
from maos.settings import Settings
from tasks.datasets import readable_roots

_FORMATS = ("PNG", "JPEG", "WEBP")
_ALLOWED = "a PNG, JPEG or WebP file"
_MOST_BYTES = 30_000_000
_MOST_PIXELS = 40_000_000
# A finer picture would cost more to send and show the engine no more.
_LONGEST_SIDE = 1024


def find_reference(file: str, *, org: str, settings: Settings) -> ReferenceImage:
    """Return a reference image as a plan names it.

    Raises:
        BadInput: when an organisation may not read it, or it is no picture.
    """
    content = _content(file, org=org, settings=settings)
    _as_png(file, content)
    return ReferenceImage(file=file, digest=hashlib.sha256(content).hexdigest())


def reference_png(reference: ReferenceImage, *, org: str, settings: Settings) -> bytes:
    """Return a reference image as it is sent: of a bounded size, turned upright, without what a camera wrote into it.

    Raises:
        BadInput: when an organisation may not read it any more, or it is gone.
        EngineFailure: when it has changed since the plan was made.
    """
    content = _content(reference.file, org=org, settings=settings)
    digest = hashlib.sha256(content).hexdigest()
    if digest != reference.digest:
        detail = (
            f"a reference image has changed since the plan was made: {reference.digest[:12]} then, {digest[:12]} now"
        )
        raise EngineFailure(FailureKind.BAD_REQUEST, detail)
    return _as_png(reference.file, content)


def _content(file: str, *, org: str, settings: Settings) -> bytes:
    roots = readable_roots(org, settings)
    try:
        # A relative path is one inside a root; links are followed before the check.
        inside = [path for root in roots if (path := (root / file).resolve()).is_relative_to(root)]
        found = next((path for path in inside if path.is_file()), None)
        if found is None:
            raise BadInput("references", file[:200], f"{_ALLOWED} under {', '.join(map(str, roots))}")
        return _bounded(file, found)
    except (OSError, ValueError, RuntimeError):
        raise BadInput("references", file[:200], f"{_ALLOWED} that can be read") from None


def _bounded(file: str, path: Path) -> bytes:
    with path.open("rb") as opened:
        content = opened.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise BadInput("references", file[:200], f"{_ALLOWED} of at most {_MOST_BYTES:,} bytes")
    return content


def _as_png(file: str, content: bytes) -> bytes:
    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise BadInput("references", file[:200], f"{_ALLOWED} of at most {_MOST_PIXELS:,} pixels")
            return _plain(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise BadInput("references", file[:200], f"{_ALLOWED} that is whole") from None


def _plain(image: Image.Image) -> bytes:
    upright = ImageOps.exif_transpose(image)
    upright.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    plain = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    # What a camera or a program has written into the file stays here: places, names, devices.
    plain.info.clear()
    target = BytesIO()
    plain.save(target, format="PNG")
    return target.getvalue()
