"""The evidence of a real run, kept as a file: what this release has written, every later one must be able to verify."""

import json
from collections.abc import Iterator
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Any

from maos.audit import GENESIS_HASH, AuditEvent, AuditLink, content_digest, document_hash, document_of, link_hash
from maos.bound_facts import ATTEMPT, bound_digest
from maos.evidence import Evidence
from maos.evidence_check import Verdict, check_evidence

FILE = Path(__file__).parent / "evidence" / "run.json"
# Any: plain JSON of every shape.
Plain = Any
Place = tuple[str | int, ...]


@lru_cache(maxsize=1)
def _kept() -> Plain:
    return json.loads(FILE.read_text())


def document() -> Plain:
    """Return the evidence as plain JSON of one's own."""
    return deepcopy(_kept())


def sealed(changed: Plain) -> bytes:
    """Return a changed file as somebody who mends the seal would leave it."""
    return Evidence.model_validate_json(json.dumps(changed)).sealed().rendered().encode()


def verdict(changed: Plain, **options: Any) -> Verdict:
    """Check a changed file with its seal mended; one that has lost its form is checked as it is."""
    try:
        content = sealed(changed)
    except ValueError:
        content = json.dumps(changed).encode()
    return check_evidence(content, **options)


def leaves(value: Plain, *place: str | int) -> Iterator[Place]:
    """Yield the place of everything in a document that has no parts."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from leaves(part, *place, name)
    elif isinstance(value, list) and value:
        for number, part in enumerate(value):
            yield from leaves(part, *place, number)
    else:
        yield place


def at(value: Plain, place: Place) -> Plain:
    """Return a part of a document."""
    for part in place:
        value = value[part]
    return value


def changed_at(place: Place, new: Plain) -> Plain:
    """Return the evidence with one part changed."""
    whole = document()
    at(whole, place[:-1])[place[-1]] = new
    return whole


def removed_at(place: Place) -> Plain:
    """Return the evidence without one part."""
    whole = document()
    del at(whole, place[:-1])[place[-1]]
    return whole


def other_than(value: Plain) -> Plain:
    """Return a value of the same type that differs, as plausible as can be."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if value is None:
        return "something"
    if not isinstance(value, str):
        return ["something"]
    first = {"0": "1", "a": "b"}.get(value[:1], "0" if value[:1].isdigit() else "a")
    return first + value[1:]


def of_a_paid_run() -> Plain:
    """Return the evidence as it would be had its first attempt cost something."""
    whole = document()
    attempt, run = whole["invocations"][0], whole["run"]
    before = bound_digest(attempt, ATTEMPT)
    attempt |= {"token_cost_estimate": "0.5", "cost_usd": "0.3", "input_tokens": 1200}
    entry = {"org_id": run["org_id"], "run_id": run["id"], "invocation_id": attempt["id"], "number": 1}
    whole["usage_entries"] = [
        entry | {"kind": "reserve", "amount_usd": "0.5"},
        entry | {"kind": "settle", "amount_usd": "0.3"},
    ]
    whole["totals"] |= {"cost_usd": "0.3", "input_tokens": 1200}
    previous = whole["chain"]["previous_hash"]
    for link in whole["chain"]["links"]:
        row = link["row"] | {"previous_hash": previous}
        if row.get("result_digest") == before:
            row["result_digest"] = bound_digest(attempt, ATTEMPT)
        previous = document_hash(row)
        link |= {"row": row, "row_hash": previous}
    whole["chain"]["head"] = previous
    return whole


def among_foreign_rows(*, old: bool) -> Plain:
    """Return the evidence as it would be with a foreign row before each of the run's own but the first."""
    whole, links, previous = document(), [], GENESIS_HASH
    for number, link in enumerate(whole["chain"]["links"]):
        if number:
            foreign, previous = _foreign(len(links) + 1, previous, old=old)
            links.append(foreign)
        row = link["row"] | {"sequence": len(links) + 1, "previous_hash": previous}
        previous = document_hash(row)
        links.append({"sequence": len(links) + 1, "row": row, "row_hash": previous})
    whole["chain"] |= {"links": links, "previous_hash": GENESIS_HASH, "head": previous}
    return whole


def _foreign(sequence: int, previous: str, *, old: bool) -> tuple[dict[str, Any], str]:
    event = AuditEvent(event="run.opened", actor="somebody@else.example", run_id=None, summary="nobody's business")
    org_id, recorded_at = _kept()["run"]["org_id"], _kept()["run"]["completed_at"]
    link = AuditLink.model_validate(
        event.model_dump()
        | {"org_id": org_id, "sequence": sequence, "recorded_at": recorded_at, "previous_hash": previous}
        | {"chain_version": None if old else 2}
    )
    shown = {"row_hash": link_hash(link)} if old else {"content": content_digest(document_of(link))}
    return {"sequence": sequence} | shown, link_hash(link)
