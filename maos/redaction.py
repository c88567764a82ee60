"""Keeps secrets out of every text, and vendors, models and internal hosts out of text that clients may read."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar, cast

from maos.folding import folded
from maos.internal_hosts import hosts_pattern
from maos.secret_patterns import SHORTEST_SECRET, forms_of, key_spans, token_spans
from maos.vendor_terms import vendor_terms

SECRET, ENGINE, HOST = "[secret]", "[engine]", "[host]"
LONGEST_SUMMARY = 500

V = TypeVar("V")
Spans = Iterable[tuple[int, int]]


@dataclass(frozen=True)
class Redaction:
    """Takes out of text what must not be read there.

    Args:
        secrets: values that are secret whatever they look like; short ones are passed over.
        hosts: names and addresses of machines that are nobody else's business.
    """

    secrets: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()

    @cached_property
    def _forms(self) -> tuple[str, ...]:
        forms = {form.lower() for secret in self.secrets if len(secret) >= SHORTEST_SECRET for form in forms_of(secret)}
        # The longest first: one may be the beginning of another.
        return tuple(sorted(forms, key=lambda form: (-len(form), form)))

    @cached_property
    def _known(self) -> re.Pattern[str]:
        return re.compile("|".join(map(re.escape, self._forms)), re.IGNORECASE)

    @cached_property
    def _hosts(self) -> re.Pattern[str]:
        return hosts_pattern(self.hosts)

    def without_known(self, text: str) -> str:
        """Return the text without the secrets that are known: for data, in which only they are certainly secret."""
        lower = text.lower()
        # Looked for before they are replaced: of all the texts there are, hardly one holds a secret.
        return self._known.sub(SECRET, text) if any(form in lower for form in self._forms) else text

    def without_keys(self, text: str) -> str:
        """Return the text without known secrets and what is a key by its form: for what an engine wrote."""
        known = self.without_known(text)
        return _replaced(known, key_spans(known), SECRET)

    def without_secrets(self, text: str) -> str:
        """Return the text without secrets: known ones, keys by their form, and tokens that look random."""
        keyless = self.without_keys(text)
        return _replaced(keyless, token_spans(keyless), SECRET)

    def for_clients(self, text: str, *, limit: int | None = LONGEST_SUMMARY) -> str:
        """Return the text without secrets, internal hosts, vendors and models, at most `limit` characters long."""
        clean = self._without_names(self.without_secrets(text), spared="")
        return clean if limit is None or len(clean) <= limit else clean[: limit - 1] + "…"

    def let_out(self, text: str, *, spared: str) -> str:
        """Return a text that leaves for the world without known secrets, internal hosts, vendors and models.

        What only looks like a secret stays: a link may carry a permission of its own.

        Args:
            spared: the customer's own data; a name that stands in there is theirs and stays.
        """
        return self._without_names(self.without_known(text), spared=folded(spared).text)

    def _without_names(self, text: str, *, spared: str) -> str:
        return _without_vendors(self._hosts.sub(HOST, text), spared)

    def holds_secret(self, text: str) -> bool:
        """Say whether a text holds a secret."""
        return self.without_secrets(text) != text


def _without_vendors(text: str, spared: str) -> str:
    reading = folded(text)
    named = _joined(reading.text, (match.span() for match in vendor_terms().finditer(reading.text)))
    spans = (span for span in named if not _stands_in(reading.text[slice(*span)], spared))
    return _replaced(text, (reading.span(*span) for span in spans), ENGINE)


def _stands_in(term: str, spared: str) -> bool:
    return bool(spared) and re.search(rf"(?<!\w){re.escape(term)}(?!\w)", spared) is not None


def _joined(text: str, spans: Spans) -> Iterator[tuple[int, int]]:
    """Make one of names that only a space parts: `Claude Sonnet` is one engine."""
    begin, end = -1, -1
    for first, last in spans:
        if end >= 0 and text[end:first] == " ":
            end = last
            continue
        if end >= 0:
            yield begin, end
        begin, end = first, last
    if end >= 0:
        yield begin, end


def _replaced(text: str, spans: Spans, word: str) -> str:
    parts, done = [], 0
    for begin, end in sorted(spans):
        if end <= done:
            continue
        parts += [text[done : max(begin, done)], word]
        done = end
    return "".join([*parts, text[done:]]) if parts else text


def each_text(value: V, change: Callable[[str], str]) -> V:
    """Return plain JSON with every text in it changed, names of members included."""
    if isinstance(value, str):
        return cast(V, change(value))
    if isinstance(value, dict):
        return cast(V, {change(str(name)): each_text(part, change) for name, part in value.items()})
    if isinstance(value, list | tuple):
        return cast(V, type(value)(each_text(part, change) for part in value))
    return value


def without_secrets(text: str) -> str:
    """Return the text without what has the form of a secret."""
    return _PLAIN.without_secrets(text)


def for_clients(text: str, *, limit: int = LONGEST_SUMMARY) -> str:
    """Return the text without what has the form of a secret, internal hosts and vendors, cut to a length."""
    return _PLAIN.for_clients(text, limit=limit)


_PLAIN = Redaction()
