"""Whether the evidence of a run holds: every digest, link and sum is computed anew, from the file alone."""

from collections.abc import Callable, Iterator, Mapping

from pydantic import BaseModel, ConfigDict, ValidationError

from maos.audit import ChainReader, Document, linked_hash
from maos.audit_export import Finding, row_fault
from maos.bound_facts import END, OPENING
from maos.erasure import ERASURE
from maos.errors import PlanRefused
from maos.evidence import Evidence, LinkFacts, with_engines
from maos.evidence_approvals import approval_findings
from maos.evidence_attempts import attempt_findings, cost_findings, file_findings
from maos.plan_versions import load_plan

_ENDS = {"run.completed", "run.failed", "run.cancelled"}


class Verdict(BaseModel):
    """What came of checking a file: the first thing that does not hold, and what could not be checked."""

    model_config = ConfigDict(frozen=True)

    evidence: Evidence | None = None
    finding: Finding | None = None
    notes: tuple[str, ...] = ()


def check_evidence(
    content: bytes,
    *,
    known_head: str | None = None,
    files: Callable[[Evidence], Mapping[str, str | None]] | None = None,
) -> Verdict:
    """Check a file.

    Args:
        known_head: the hash of its last audit row, as it is known from elsewhere.
        files: looks at the artifacts where they lie; left out: they are not looked at.
    """
    try:
        evidence = Evidence.model_validate_json(content)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, fault["loc"])) or "file"
        return Verdict(finding=Finding(place=place, reason=fault["msg"]))
    found = files(evidence) if files else None
    finding = next(_findings(evidence, content, known_head, found), None)
    return Verdict(evidence=evidence, finding=finding, notes=tuple(_notes(evidence)))


def _findings(
    evidence: Evidence, content: bytes, known_head: str | None, files: Mapping[str, str | None] | None
) -> Iterator[Finding]:
    yield from _chain_findings(evidence, known_head)
    yield from _erasure_findings(evidence)
    yield from _run_findings(evidence)
    yield from _foreign_findings(evidence)
    yield from _plan_findings(evidence)
    yield from approval_findings(evidence)
    yield from attempt_findings(evidence)
    yield from cost_findings(evidence)
    yield from file_findings(evidence, files)
    # Last: they say that something was changed, not what.
    if evidence.seal != evidence.sealed().seal:
        yield Finding(place="seal", reason="it is not that of the file: something was changed after it was written")
    if content != evidence.rendered().encode():
        yield Finding(place="file", reason="it is not in the form that maos writes")


def _chain_findings(evidence: Evidence, known_head: str | None) -> Iterator[Finding]:
    chain, links = evidence.chain, evidence.chain.links
    reader = ChainReader(sequence=links[0].sequence - 1, row_hash=chain.previous_hash)
    for number, link in enumerate(links):
        place = f"audit row {link.sequence}"
        if reason := _link_fault(evidence, number, link, reader):
            yield Finding(place=place, reason=reason)
            return
    if chain.head != reader.row_hash:
        yield Finding(place="chain", reason="its head is not the hash of the last link")
    if links[-1].row is None or links[0].row is None:
        yield Finding(place="chain", reason="it does not begin and end with rows of the run")
    if known_head not in {None, chain.head}:
        yield Finding(place="chain", reason="its head is not the known one")


def _link_fault(evidence: Evidence, number: int, link: LinkFacts, reader: ChainReader) -> str | None:
    """Take the next link; return what is wrong with it, or None."""
    row = link.row
    if row is not None:
        if reason := row_fault({**row, "row_hash": link.row_hash}):
            return reason
        if (row["org_id"], row["run_id"]) != (evidence.run.org_id, evidence.run.id):
            return "it is no row of this run"
        if row["sequence"] != link.sequence:
            return "the row says another sequence"
        if not evidence.hides("chain", "links", number):
            fault = reader.read(row, link.row_hash)
            return fault.reason if fault else None
    if link.sequence != reader.sequence + 1:
        return f"row {reader.sequence + 1} is missing"
    known = linked_hash(link.content, reader.row_hash) if link.content else link.row_hash
    if known is None or (link.content and link.row_hash not in {None, known}):
        return "its place in the chain is not shown"
    reader.sequence, reader.row_hash = link.sequence, known
    return None


def _erasure_findings(evidence: Evidence) -> Iterator[Finding]:
    if evidence.erased and not any(row["event"] == ERASURE for row in evidence.rows):
        yield Finding(place=evidence.erased[0], reason="the audit log does not say that anything was erased")


def _run_findings(evidence: Evidence) -> Iterator[Finding]:
    run, rows = evidence.run, evidence.rows
    opened = [row for row in rows if row["event"] == "run.opened"]
    ended = [row for row in rows if row["event"] in _ENDS]
    if [row["actor"] for row in opened] != [run.initiator_id]:
        yield Finding(place="run", reason="the audit log does not say that its initiator opened it")
    elif _differs(evidence, opened[0], OPENING):
        yield Finding(place="run", reason="it is not as the audit log says that it was opened")
    if run.completed_at and (not ended or ended[-1]["event"] != f"run.{run.status}"):
        yield Finding(place="run", reason=f"the audit log does not say that it ended as {run.status}")
    elif run.completed_at and _differs(evidence, ended[-1], END):
        yield Finding(place="run", reason="it is not as the audit log says that it ended")


def _differs(evidence: Evidence, row: Document, names: tuple[str, ...]) -> bool:
    bound = row.get("result_digest")
    return bound is not None and not evidence.hides("run") and evidence.run.bound_digest(names) != bound


def _foreign_findings(evidence: Evidence) -> Iterator[Finding]:
    own = {"org_id": evidence.run.org_id, "run_id": evidence.run.id}
    for name in ("plan_revisions", "invocations", "approvals", "effects", "usage_entries"):
        for part in getattr(evidence, name):
            facts = part.model_dump()
            if any(facts.get(column) != value for column, value in own.items()):
                yield Finding(place=name, reason="one is of another run")


def _plan_findings(evidence: Evidence) -> Iterator[Finding]:
    revisions = evidence.plan_revisions
    for number, revision in enumerate(revisions):
        place = f"plan revision {number + 1}"
        if revision.revision != number + 1:
            yield Finding(place=place, reason=f"it is missing; revision {revision.revision} follows")
        if evidence.hides("plan_revisions", number, "plan"):
            continue
        try:
            found = load_plan(with_engines(revision.plan)).digest
        except PlanRefused as refused:
            yield Finding(place=place, reason=f"it is no plan: {refused}")
            return
        if found != revision.plan_digest:
            yield Finding(place=place, reason="its digest is not that of its plan")
    audited = [row["digest"] for row in evidence.rows if row["event"] in {"run.opened", "plan.revised"}]
    if audited != [revision.plan_digest for revision in revisions]:
        yield Finding(place="plan revisions", reason="their digests are not those of the audit log")
    if revisions and revisions[-1].plan_digest != evidence.run.plan_digest:
        yield Finding(place="run", reason="its plan is not the last revision")


def _notes(evidence: Evidence) -> Iterator[str]:
    for place in evidence.withheld:
        yield f"withheld, so that its digest cannot be computed: {place}"
    for place in evidence.erased:
        yield f"erased as a person's data, as the audit log says, so that its digest cannot be computed: {place}"
    if asserted := [link for link in evidence.chain.links if link.row is None and link.content is None]:
        yield f"{len(asserted)} links are of the first releases, whose place can only be stated"
    for attempt in evidence.invocations:
        if attempt.status == "completed" and not (attempt.digest or attempt.reused_from):
            yield f"step {attempt.step_id!r}: completed under a release whose audit rows did not cover what was done"
    for file in evidence.artifacts:
        if file.found == "missing":
            yield f"the file {file.name} was gone when the evidence was written"
