"""Drawings as pictures: SVG becomes PNG, also on a machine that has no fonts."""

import re
from pathlib import Path

import matplotlib
import resvg_py

_FONT = "DejaVu Sans"
_FONT_FILES = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")
# Twice the size is sharp on any screen; a very large picture is drawn smaller, so that it fits into memory.
_ZOOM = 2.0
_MOST_PIXELS = 40_000_000
_SIZE = re.compile(r'<svg\b[^>]*? width="(\d+)" height="(\d+)"')


def png_of(svg: str) -> bytes:
    """Return a drawing that states its size as a PNG picture.

    Raises:
        ValueError: when it is no such drawing.
    """
    size = _SIZE.search(svg)
    if size is None:
        raise ValueError("the drawing does not state its width and height")
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    pixels = int(size[1]) * int(size[2])
    return resvg_py.svg_to_bytes(
        svg_string=svg,
        zoom=min(_ZOOM, (_MOST_PIXELS / max(pixels, 1)) ** 0.5),
        font_files=[str(fonts / name) for name in _FONT_FILES],
        font_family=_FONT,
        sans_serif_family=_FONT,
    )
