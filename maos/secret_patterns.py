"""What looks like a secret, by its form, and the forms in which a known secret may be repeated."""

import base64
import json
import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

# A value that everybody knows is none; blanking it would tear words apart.
SHORTEST_SECRET = 6

# By their beginnings, and by what stands before them.
_BY_FORM = re.compile(
    r"""
    \b(?:sk|pk|rk|xox[abeprs]|xapp|glpat|gsk|hf|xai|pnu|pnb|npm|pypi|dop_v1|shpat|sq0atp|whsec|pplx)[-_][-\w]{8,}
    | \b(?:ghp|gho|ghu|ghs|ghr|github_pat)_\w{8,}
    | \b(?:AKIA|ASIA|AIza)[-\w]{8,} | \bAQ\.[-\w]{8,} | \bya29\.[-\w.]{8,}
    | \beyJ[-\w]{8,}\.[-\w]{8,}(?:\.[-\w]*)?
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----.*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z)
    | (?<=://)[^\s/:@"'<>]*:[^\s/@"'<>]+(?=@)
    | \b(?:Bearer|Basic)\s+[-\w.~+/=]{6,}
    | (?i:(?<=password=)|(?<=passwd=)|(?<=api_key=)|(?<=apikey=)|(?<=secret=)|(?<=token=)|(?<=signature=))[^\s&,;)'"\]]+
    | (?i:(?<=\bpassword:\ )|(?<=\bapi-key:\ )|(?<=\bx-goog-api-key:\ )|(?<=authorization:\ ))[^\s,;)]+
    """,
    re.VERBOSE | re.DOTALL,
)
# Nearly every text has none of these; looking for them takes a tenth of the time that the pattern above takes.
_SIGNS = (
    *("sk", "pk", "rk", "xox", "xapp", "glpat", "hf", "xai", "pn", "npm", "pypi", "dop_", "shpat", "sq0", "whsec"),
    *("pplx", "gh", "github_pat", "akia", "asia", "aiza", "aq.", "ya29", "eyj", "-----begin", "://", "bearer", "basic"),
    *("password", "passwd", "api", "secret=", "token=", "signature=", "authorization:"),
)
_LONG_WORD = re.compile(r"\S{24}")
_TOKEN = re.compile(r"(?<![\w/+.-])[A-Za-z0-9_+/-]{24,}={0,2}(?![\w/+-])")
_CHANGE = re.compile(r"(?=[a-z][A-Z0-9]|[A-Z][a-z0-9]|[0-9][A-Za-z])")
# Letters and digits of a random token change class at six of ten places, those of words and names at three.
_RANDOM_ENOUGH = 0.45
_CLASSES = (re.compile(r"[a-z]"), re.compile(r"[A-Z]"), re.compile(r"\d"))


def key_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where something stands that has the form of a key or a login, or is called a password."""
    lower = text.lower()
    if any(sign in lower for sign in _SIGNS):
        yield from (found.span() for found in _BY_FORM.finditer(text))


def token_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where a long token stands that looks drawn by chance."""
    if _LONG_WORD.search(text):
        yield from (found.span() for found in _TOKEN.finditer(text) if _is_random(found.group().rstrip("=")))


def _is_random(token: str) -> bool:
    """Tell a token from words, ids and digests: all classes of characters, mixed as only chance mixes them.

    A UUID, a digest and a date have no capitals; names, paths and identifiers stay within a class for a while.
    """
    letters = re.sub(r"[_+/-]", "", token)
    if not all(kind.search(letters) for kind in _CLASSES) or _is_encoded_text(token):
        return False
    return len(_CHANGE.findall(letters)) >= _RANDOM_ENOUGH * (len(letters) - 1)


def _is_encoded_text(token: str) -> bool:
    try:
        return base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_").decode("ascii").isprintable()
    except ValueError:
        return False


def forms_of(secret: str) -> frozenset[str]:
    """Return a known secret in every form in which text may hold it: as it is, in addresses, in JSON, in Base64."""
    forms = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1]}
    forms.add(json.dumps(secret, ensure_ascii=False)[1:-1])
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        forms |= {
            _within_base64(secret.encode(), offset, encode(b"\0" * offset + secret.encode())) for offset in range(3)
        }
    forms.add(secret.encode().hex())
    return frozenset(form for form in forms if len(form) >= SHORTEST_SECRET)


def _within_base64(secret: bytes, offset: int, encoded: bytes) -> str:
    """Return the characters that the secret alone decides, when so many bytes stand before it."""
    first = (0, 2, 3)[offset]
    last = (offset + len(secret)) * 8 // 6
    return encoded[first:last].decode()
