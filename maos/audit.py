"""The hash chain of the audit log: each row's hash covers the row and the hash before it."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict

from maos.canonical import canonical_json, plain
from maos.erasure import ERASED, ERASURE
from maos.errors import MaosError
from maos.failures import FailureKind
from maos.risk import RiskLevel

GENESIS_HASH = "0" * 64
# The second hashes what a row says and where it stands apart; the third does so with a digest in the summary's place.
_WITHOUT_SUMMARY = 3
_LINKED = (2, _WITHOUT_SUMMARY)

_BESIDE = ("previous_hash", "summary", "summary_salt")

# A row as it is hashed: flat, and without its own hash.
Document = Mapping[str, str | int | None]


class AuditEvent(BaseModel):
    """Something that happened in a run or to an organisation, as an auditor reads it."""

    model_config = ConfigDict(frozen=True)

    event: str
    actor: str
    # None: it happened in no run, such as a change of the organisation's rules.
    run_id: UUID | None
    step_id: str | None = None
    action: str | None = None
    risk: RiskLevel | None = None
    was_automatic: bool = True
    approval_id: UUID | None = None
    digest: str | None = None
    success: bool = True
    summary: str
    # Which rules and which policy of approvals it was judged by.
    rules_version: str | None = None
    policy_version: int | None = None
    error: FailureKind | None = None
    # Of what it reports, as it stands in its own table: see `maos.bound_facts`.
    result_digest: str | None = None


def act_of(person: str, event: str, summary: str) -> AuditEvent:
    """Return the event of what somebody has done to an organisation, outside of any run."""
    return AuditEvent(event=event, actor=person, run_id=None, was_automatic=False, summary=summary)


class AuditLink(AuditEvent):
    """An event in its place in an organisation's chain."""

    org_id: UUID
    sequence: int
    recorded_at: datetime
    previous_hash: str
    # None: the hash is that of the first releases, over the whole row at once.
    chain_version: Literal[2, 3] | None = None
    # The summary is in the words of people and engines: it stands beside the chain, which has this digest of it.
    summary_digest: str | None = None
    summary_salt: str | None = None


# What the first releases hashed, set or not. What came later is hashed where it is set: rows of before keep their hash.
FIRST_COLUMNS = (
    *("event", "actor", "run_id", "step_id", "action", "risk", "was_automatic", "approval_id", "digest", "success"),
    *("summary", "org_id", "sequence", "recorded_at", "previous_hash"),
)
_LATER_COLUMNS = (
    "rules_version",
    "policy_version",
    "error",
    "result_digest",
    "chain_version",
    "summary_digest",
    "summary_salt",
)
COLUMNS = (*FIRST_COLUMNS, *_LATER_COLUMNS)


def next_link(
    event: AuditEvent, *, org_id: UUID, sequence: int, recorded_at: datetime, previous_hash: str, salt: str
) -> AuditLink:
    """Return an event in its place, under the present version of the chain.

    Args:
        salt: random: without it nobody can try what a summary that was erased has said.
    """
    return AuditLink(
        **event.model_dump(),
        org_id=org_id,
        sequence=sequence,
        recorded_at=recorded_at,
        previous_hash=previous_hash,
        chain_version=_WITHOUT_SUMMARY,
        summary_digest=summary_digest(event.summary, salt),
        summary_salt=salt,
    )


def document_of(link: AuditLink) -> Document:
    """Return a link as it is hashed."""
    return trimmed({name: plain(getattr(link, name)) for name in COLUMNS})


def trimmed(columns: Document) -> Document:
    """Return a row's columns without those of later releases that it does not set."""
    return {name: value for name, value in columns.items() if value is not None or name not in _LATER_COLUMNS}


def link_hash(link: AuditLink) -> str:
    """Return the hash of a link."""
    return document_hash(document_of(link))


def document_hash(document: Document) -> str:
    """Return the hash of a row: of the digest of what it says, and of the hash before it.

    Two steps, so that a row's place can be shown to somebody who must not read it.
    """
    if document.get("chain_version") not in _LINKED:
        return hashlib.sha256(_flat(document)).hexdigest()
    return linked_hash(content_digest(document), str(document["previous_hash"]))


def content_digest(document: Document) -> str:
    """Return the digest of everything a row says but the hash before it, and its summary, of which it has a digest."""
    beside = _BESIDE if document.get("chain_version") == _WITHOUT_SUMMARY else _BESIDE[:1]
    content = dict(document)
    for name in beside:
        content.pop(name, None)
    return hashlib.sha256(_flat(content)).hexdigest()


def summary_digest(summary: str, salt: str) -> str:
    """Return the digest of a summary that stands beside the chain."""
    return _sha256(f"{salt}{summary}")


def linked_hash(content: str, previous_hash: str) -> str:
    """Return the hash of a row whose content's digest alone is known."""
    return _sha256(f'{{"content":"{content}","previous_hash":"{previous_hash}"}}')


def flat_json(document: Document) -> str:
    """Return a row as canonical JSON: the same as `canonical_json`, many times faster for what holds no others."""
    return _flat(document).decode()


def _flat(document: Document) -> bytes:
    try:
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        # A number that no column can hold, in a file from elsewhere.
        return canonical_json(dict(document)).encode()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class ChainBroken(MaosError):
    """An audit chain, or what was noted of it, does not hold."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(place, reason)
        self.place = place
        self.reason = reason

    def __str__(self) -> str:
        return f"audit of {self.place}: {self.reason}"


class ChainFault(BaseModel):
    """The first place where a chain does not hold."""

    model_config = ConfigDict(frozen=True)

    sequence: int
    reason: str


class KnownRow(NamedTuple):
    """A row whose hash was noted elsewhere."""

    sequence: int
    row_hash: str
    since: str


class ChainReader:
    """Checks rows in order, one at a time, so that a chain of any length takes constant memory.

    Args:
        sequence: that of the row before the first one; 0 at a chain's beginning.
        row_hash: the hash that the first row builds on.
        known: rows as they were noted elsewhere, where whoever can rewrite the chain cannot reach.
    """

    def __init__(self, *, sequence: int = 0, row_hash: str = GENESIS_HASH, known: Iterable[KnownRow] = ()) -> None:
        self.sequence = sequence
        self.row_hash = row_hash
        # The next one last. What lies before the first row cannot be looked at any more.
        self._known = sorted((row for row in known if row.sequence > sequence), reverse=True)
        self._held = sequence
        self._erased = self._erasure = 0

    def read(self, document: Document, row_hash: object) -> ChainFault | None:
        """Take the next row; return what is wrong with it, or None."""
        expected, found = self.sequence + 1, document.get("sequence")
        if found != expected:
            return ChainFault(sequence=expected, reason=f"row {expected} is missing; row {found} follows")
        if document.get("previous_hash") != self.row_hash:
            return ChainFault(sequence=expected, reason="the row does not follow the one before it")
        if document_hash(document) != row_hash:
            return ChainFault(sequence=expected, reason="the row was changed after it was written")
        if fault := self._summary_fault(document, expected):
            return fault
        self.sequence, self.row_hash = expected, str(row_hash)
        return self._differing() if self._known and self._known[-1].sequence == expected else None

    def _summary_fault(self, document: Document, sequence: int) -> ChainFault | None:
        """Compare a summary that stands beside the chain with its digest; note what was erased, and that it is told."""
        if document["event"] == ERASURE:
            self._erasure = sequence
        if document.get("chain_version") != _WITHOUT_SUMMARY:
            return None
        summary, salt = document["summary"], document.get("summary_salt")
        if (summary, salt) == (ERASED, ""):
            self._erased = sequence
            return None
        if summary_digest(str(summary), str(salt)) == document.get("summary_digest"):
            return None
        return ChainFault(sequence=sequence, reason="the summary was changed after the row was written")

    def _differing(self) -> ChainFault | None:
        """Compare the row just read with what is known of it."""
        while self._known and self._known[-1].sequence == self.sequence:
            known = self._known.pop()
            if known.row_hash != self.row_hash:
                first = self._held + 1
                rewritten = f"rows {first} to {self.sequence} hold the first one that was written anew"
                reason = f"row {self.sequence} is another than was anchored at {known.since}: {rewritten}"
                return ChainFault(sequence=first, reason=reason)
        self._held = self.sequence
        return None

    def end(self, *, sequence: int, row_hash: str) -> ChainFault | None:
        """Compare with the chain's head and with what is known; return a fault when rows are missing at the end."""
        missing = self.sequence + 1
        if self._known:
            # Whoever could remove rows at the end could mend the head too.
            last = self._known[0]
            reason = f"the rows end at {self.sequence}, but row {last.sequence} was anchored at {last.since}"
            return ChainFault(sequence=missing, reason=reason)
        if sequence != self.sequence:
            return ChainFault(
                sequence=missing, reason=f"the rows end at {self.sequence}, the chain's head is {sequence}"
            )
        if row_hash != self.row_hash:
            return ChainFault(sequence=sequence, reason="the last row is not the chain's head")
        if self._erased > self._erasure:
            return ChainFault(sequence=self._erased, reason="its summary was erased, and no later row says so")
        return None
