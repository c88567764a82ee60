"""Whether the attempts in the evidence of a run hold: against the audit log, its money, and its files."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from maos.audit_export import Finding
from maos.evidence import AttemptFacts, EntryFacts, Evidence, totals_of


def attempt_findings(evidence: Evidence) -> Iterator[Finding]:
    """Yield what differs between the attempts and what the audit log says of them."""
    steps = [row for row in evidence.rows if str(row["event"]).startswith("step.")]
    audited = {row["result_digest"] for row in steps if row.get("result_digest")}
    approvals = {approval.id for approval in evidence.approvals}
    found: set[str] = set()
    any_hidden = False
    for number, attempt in enumerate(evidence.invocations):
        place = f"invocation {attempt.id} of step {attempt.step_id!r}"
        if attempt.approval_id and attempt.approval_id not in approvals:
            yield Finding(place=place, reason="its approval is not here")
        if evidence.hides("invocations", number):
            any_hidden = True
            continue
        digest = attempt.bound_digest()
        found.add(digest)
        if attempt.digest and attempt.status != "running" and digest not in audited:
            yield Finding(place=place, reason="it is not as the audit log recorded it")
    if not any_hidden and audited - found:
        yield Finding(place="invocations", reason="one that the audit log reports is missing")
    done = {attempt.step_id for attempt in evidence.invocations if attempt.status == "completed"}
    for effect in evidence.effects:
        if effect.status == "done" and effect.step_id not in done:
            yield Finding(place=f"effect of step {effect.step_id!r}", reason="its step is not completed")


def cost_findings(evidence: Evidence) -> Iterator[Finding]:
    """Yield what differs between what attempts cost, what was settled for them, and the totals."""
    for attempt in evidence.invocations:
        entries = [entry for entry in evidence.usage_entries if entry.invocation_id == attempt.id]
        if attempt.status != "running" and _settled(entries) != Decimal(attempt.cost_usd):
            yield Finding(place=f"invocation {attempt.id}", reason="its cost is not what was settled for it")
    known = {attempt.id for attempt in evidence.invocations}
    if any(entry.invocation_id not in known for entry in evidence.usage_entries):
        yield Finding(place="usage entries", reason="one is of an invocation that is not here")
    corrected = any(entry.kind == "correct" for entry in evidence.usage_entries)
    if corrected != any(row["event"] == "cost.corrected" for row in evidence.rows):
        yield Finding(place="usage entries", reason="corrections and the audit log differ")
    if evidence.totals != totals_of(evidence.invocations, evidence.usage_entries):
        yield Finding(place="totals", reason="they are not the sums of what was settled and consumed")


def _settled(entries: list[EntryFacts]) -> Decimal:
    return sum((Decimal(entry.amount_usd) for entry in entries if entry.kind == "settle"), start=Decimal(0))


def files_of(attempts: tuple[AttemptFacts, ...]) -> dict[str, tuple[int, str]]:
    """Return size and checksum of each file as the last attempt that lists it recorded them."""
    return {file.name: (file.size, file.sha256) for attempt in attempts for file in attempt.artifacts}


def file_findings(evidence: Evidence, found: Mapping[str, str | None] | None) -> Iterator[Finding]:
    """Yield what differs between the files and their recorded checksums.

    Args:
        found: the SHA-256 of each file as it lies here; left out: files are not looked at.
    """
    listed = {file.name: (file.size, file.sha256) for file in evidence.artifacts}
    if listed != files_of(evidence.invocations) or len(listed) != len(evidence.artifacts):
        yield Finding(place="artifacts", reason="they are not those that the invocations list")
    for file in evidence.artifacts:
        if found is not None and found.get(file.name) != file.sha256:
            reason = "its checksum is another" if found.get(file.name) else "it is not there"
            yield Finding(place=f"file {file.name}", reason=reason)
        if file.found == "changed":
            reason = "it was no longer what its step made when the evidence was written"
            yield Finding(place=f"file {file.name}", reason=reason)
