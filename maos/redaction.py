"""Keeps secrets and vendor names out of text that clients may read."""

import re

_SECRETS = re.compile(
    r"\b(?:sk|pk|rk|xox[abp]|ghp|gho|glpat|AKIA|AIza)[-_A-Za-z0-9]{8,}|(?<=://)[^\s/:@]+:[^\s/@]+(?=@)|\bBearer\s+\S+",
)
_VENDORS = re.compile(
    r"\b(?:anthropic|claude|opus|sonnet|haiku|gemini|google-genai|nano banana|openai|gpt)(?:[-\w.]*\w)?\b",
    re.IGNORECASE,
)


def without_secrets(text: str) -> str:
    """Return the text with keys, tokens and passwords of addresses blanked."""
    return _SECRETS.sub("[secret]", text)


def for_clients(text: str, *, limit: int = 500) -> str:
    """Return the text without secrets and vendor names, at most `limit` characters long."""
    clean = _VENDORS.sub("[engine]", without_secrets(text))
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
