"""Text that comes from elsewhere, made harmless for a terminal."""

import re

# Besides control characters: marks that turn the direction of writing around, and characters without a width.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


def visible(text: str) -> str:
    """Return text in which nothing moves the cursor, changes colours, or hides what is written."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
