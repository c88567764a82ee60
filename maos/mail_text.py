"""What is new in the text of a message: without what it quotes, and without its signature."""

import re
from dataclasses import dataclass

import quotequail

_QUOTED_LINE = re.compile(r"^\s{0,3}>")
_DELIMITER = re.compile(r"^--\s?$")
_ATTRIBUTION = re.compile(
    r"^(On|Am|Le|El|Il|Op|Den|Em|W dniu)\b.{3,300}"
    r"(wrote|schrieb.*|écrit|escribió|scritto|geschreven|schreef.*|skrev.*|escreveu|pisze)\s?:$"
    r"|^-{2,}\s?(Original Message|Ursprüngliche Nachricht|Forwarded message|Message d'origine)\s?-{2,}$",
    re.IGNORECASE,
)
_SENT_FROM = re.compile(
    r"^(Sent from my|Get Outlook for|Von meinem .{1,30} gesendet|Gesendet mit|Envoyé de mon|Enviado desde mi)",
    re.IGNORECASE,
)
_MOST_SIGNATURE_LINES = 12


@dataclass(frozen=True)
class SplitText:
    """The text of a message in its three parts."""

    new: str
    quoted: str
    signature: str


def split_text(text: str) -> SplitText:
    """Return the parts of a text; whatever is in doubt stays in the new one, so that nothing is lost."""
    new, quoted = _without_quotes(text.strip())
    body, signature = _without_signature(new)
    return SplitText(body, quoted, signature) if body else SplitText(new, quoted, "")


def _without_quotes(text: str) -> tuple[str, str]:
    parts = quotequail.quote(text, limit=2000) if text else []
    new = "\n".join(part for shown, part in parts if shown)
    below = [part for shown, part in parts if not shown]
    # Below the first line that quotes, an answer may stand between the quotes, or after them.
    kept, quoted = _unquoted("\n".join([new, *below]) if _answers_below(below) else new)
    folded = [] if _answers_below(below) else below
    if not kept:
        return text, ""
    return kept, "\n".join(part for part in (quoted, *folded) if part).strip()


def _answers_below(below: list[str]) -> bool:
    """Say whether what is below a quote's heading is quoted line by line, with lines between that are not."""
    lines = [line for part in below for line in part.splitlines() if line.strip()]
    return any(map(_QUOTED_LINE.match, lines)) and not all(map(_QUOTED_LINE.match, lines))


def _unquoted(text: str) -> tuple[str, str]:
    lines = text.splitlines()
    quoted = [line for line in lines if _QUOTED_LINE.match(line)]
    kept = [line for line in lines if not _QUOTED_LINE.match(line) and not _ATTRIBUTION.match(line.strip()[:500])]
    return "\n".join(kept).strip(), "\n".join(quoted)


def _without_signature(text: str) -> tuple[str, str]:
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if _DELIMITER.match(line) and len(lines) - number <= _MOST_SIGNATURE_LINES:
            return "\n".join(lines[:number]).strip(), "\n".join(lines[number + 1 :]).strip()
    if lines and _SENT_FROM.match(lines[-1].strip()[:200]):
        return "\n".join(lines[:-1]).strip(), lines[-1].strip()
    return text, ""
