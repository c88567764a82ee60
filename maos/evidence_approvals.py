"""Whether the approvals in the evidence of a run hold: payloads, votes, decisions, and what ran under them."""

from collections.abc import Iterator

from maos.audit import Document
from maos.audit_export import Finding
from maos.canonical import digest_of
from maos.evidence import ApprovalFacts, Evidence, with_engines
from maos.learning import BY_EXEMPTION

# By people or by time; one that was withdrawn needs no decision.
_DECIDED = {"approved", "rejected", "expired"}
_OPPOSITE = {"approve": "approval.rejected", "reject": "approval.approved"}
_FOR_IT = {"approve", "edit"}
_MAY_HAVE_RUN = {"approved", "cancelled"}


def approval_findings(evidence: Evidence) -> Iterator[Finding]:
    """Yield what does not hold of approvals, and of the steps that ran under them."""
    for number, approval in enumerate(evidence.approvals):
        place = f"approval {approval.id}"
        own = [row for row in evidence.rows if row["approval_id"] == approval.id]
        hidden = evidence.hides("approvals", number, "payload")
        if not hidden and digest_of(with_engines(approval.payload)) != approval.digest:
            yield Finding(place=place, reason="its digest is not that of its payload")
        if approval.granted_by:
            if not _is_granted(approval, evidence):
                yield Finding(place=place, reason="the approval that is said to have granted it does not cover it")
            continue
        if not evidence.hides("approvals", number) and not _is_as_asked(approval, own):
            yield Finding(place=place, reason="the audit log does not have its request as it is here")
        if not evidence.hides("approvals", number, "edits") and (reason := _edit_fault(approval)):
            yield Finding(place=place, reason=reason)
        for reason in (*_decision_reasons(approval, own), *_vote_reasons(approval, own)):
            yield Finding(place=place, reason=reason)
    yield from _unapproved(evidence)


def _is_granted(approval: ApprovalFacts, evidence: Evidence) -> bool:
    """Say whether it is one of what somebody approved at once: that approval is checked by itself."""
    covering = [each for each in evidence.approvals if each.id == approval.granted_by and each.status == "approved"]
    covered = [part for each in covering for part in each.payload.get("covers", ())]
    return approval.digest in [part.get("digest") for part in covered if isinstance(part, dict)]


def _is_as_asked(approval: ApprovalFacts, rows: list[Document]) -> bool:
    asked = [row.get("result_digest") for row in rows if row["event"] == "approval.requested"]
    # Of the first releases' requests the log has no digest.
    return bool(asked) and asked[0] in {None, approval.bound_digest()}


def _edit_fault(approval: ApprovalFacts) -> str | None:
    """Return what does not hold of the edits: each takes up what the one before has made, to the present payload."""
    for edit in approval.edits:
        digests = (edit.digest_before, edit.digest_after)
        if digests != (digest_of(with_engines(edit.before)), digest_of(with_engines(edit.after))):
            return f"the edit by {edit.edited_by} has not the digests of its payloads"
        if edit.edited_by not in {vote.voter for vote in approval.votes if vote.decision == "edit"}:
            return f"the edit by {edit.edited_by} has no vote"
    ends = [edit.digest_after for edit in approval.edits]
    begins = [edit.digest_before for edit in approval.edits]
    return (
        "its edits do not lead to its payload" if ends != [*begins[1:], *([approval.digest] if ends else [])] else None
    )


def _decision_reasons(approval: ApprovalFacts, rows: list[Document]) -> Iterator[str]:
    if (approval.status in _DECIDED or approval.consumed_at) and not any(_decides(row, approval) for row in rows):
        yield f"the audit log does not have its decision by {approval.decided_by}"


def _decides(row: Document, approval: ApprovalFacts) -> bool:
    is_decision = str(row["event"]).startswith("approval.") and row["event"] != "approval.requested"
    return is_decision and row["digest"] == approval.digest and row["actor"] == approval.decided_by


def _vote_reasons(approval: ApprovalFacts, rows: list[Document]) -> Iterator[str]:
    for vote in approval.votes:
        said = {row["event"] for row in rows if row["actor"] == vote.voter} - {"approval.requested"}
        if vote.approval_id != approval.id or not said or said == {_OPPOSITE.get(vote.decision)}:
            yield f"the audit log does not have the vote of {vote.voter}"
    if approval.decided_via == "system":
        return
    if approval.decided_via == BY_EXEMPTION:
        if not any(row["event"] == "approval.exempted" for row in rows):
            yield "the audit log does not have the exemption that approved it"
        return
    favourable = sum(vote.decision in _FOR_IT for vote in approval.votes)
    if approval.status == "approved" and favourable < approval.approvals_required:
        yield f"it is approved with {favourable} votes for it and takes {approval.approvals_required}"
    if approval.status == "rejected" and favourable == len(approval.votes):
        yield "it is rejected, and nobody voted against it"


def _unapproved(evidence: Evidence) -> Iterator[Finding]:
    """Look at what ran from the other side: the audit rows of executed steps."""
    known = {approval.id: approval for approval in evidence.approvals}
    for row in evidence.rows:
        if row["approval_id"] is None or not str(row["event"]).startswith("step."):
            continue
        approval = known.get(str(row["approval_id"]))
        place = f"audit row {row['sequence']}"
        if approval is None:
            yield Finding(place=place, reason=f"step {row['step_id']!r} ran under an approval that is not here")
        elif row["digest"] not in {None, approval.digest} or row["step_id"] != approval.step_id:
            yield Finding(place=place, reason=f"step {row['step_id']!r} ran under an approval of something else")
        elif approval.consumed_at is None or approval.status not in _MAY_HAVE_RUN:
            yield Finding(place=place, reason=f"step {row['step_id']!r} ran under an approval that is not used up")
