"""Collecting the evidence of a run from the ledger and from its files."""

import json
from enum import StrEnum
from functools import cache, partial
from pathlib import Path, PurePosixPath
from typing import TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlmodel import Session

from maos.actions import JsonObject
from maos.audit import content_digest
from maos.canonical import plain
from maos.erasure import ERASURE, erased_places
from maos.errors import BadInput
from maos.evidence import AttemptFacts, EntryFacts, Evidence, pointer, totals_of, with_labels
from maos.evidence_attempts import files_of
from maos.evidence_text import Censor
from maos.settings import load_settings
from sql import audit_rows, effects, evidence, invocations, plan_revisions, runs
from sql.plain_rows import attempt_facts, plain_row, run_facts
from sql.session import see_one_moment, system_session
from sql.tables import OrchestratorRun, utc_now
from tasks.files import checksum_of
from tasks.secrecy import redaction

P = TypeVar("P", bound=BaseModel)


class Audience(StrEnum):
    """For whom evidence is."""

    CLIENTS = "clients"
    INTERNAL = "internal"


def evidence_of(run_id: UUID, audience: Audience) -> Evidence:
    """Return everything there is to show of a run, as the ledger is at one moment.

    Raises:
        BadInput: when there is no such run, or no audit row of it.
    """
    with system_session() as session:
        see_one_moment(session=session)
        run = runs.find_run(run_id, session=session)
        if run is None:
            raise BadInput("run", str(run_id), "the id of a run")
        rows = _rows_of(runs.run_row(run_id, session=session), session=session)
        if audience is Audience.INTERNAL:
            rows["vendor_details"] = evidence.vendor_details(run_id, session=session)
        if any(link["row"]["event"] == ERASURE for link in rows["chain"]["links"] if "row" in link):
            rows["erased"] = _erased(rows, run_id, session=session)
    attempts, entries = _parts(AttemptFacts, rows["invocations"]), _parts(EntryFacts, rows["usage_entries"])
    rows["totals"] = totals_of(attempts, entries).model_dump()
    rows["artifacts"] = _files(attempts, load_settings().artifact_store / run.org / str(run_id))
    return _sealed(rows | {"org": run.org, "audience": audience.value, "issued_at": plain(utc_now())}, audience)


def _parts(kind: type[P], rows: list[JsonObject]) -> tuple[P, ...]:
    return tuple(kind.model_validate_json(json.dumps(row)) for row in rows)


def _rows_of(row: OrchestratorRun, *, session: Session) -> JsonObject:
    revisions = map(plain_row, plan_revisions.revisions_of_run(row.id, session=session))
    asked = evidence.approvals_with_votes(row.id, session=session)
    return {
        "run": run_facts(row),
        "plan_revisions": [revision | {"plan": with_labels(revision["plan"])} for revision in revisions],
        "invocations": [attempt_facts(each) for each in invocations.list_invocations(row.id, session=session)],
        "approvals": [_approval(approval) for approval in asked],
        "effects": [plain_row(effect) for effect in effects.effects_of_run(row.id, session=session)],
        "usage_entries": evidence.usage_entries(row.id, session=session),
        "chain": _chain(row, session=session),
    }


def _erased(rows: JsonObject, run_id: UUID, *, session: Session) -> list[str]:
    """Return where a person's data was erased: in what is shown, and in what is shown by its digest alone."""
    run = runs.run_row(run_id, session=session)
    attempts = invocations.list_invocations(run_id, session=session)
    unseen: dict[tuple[str | int, ...], object] = {
        ("run", "request_digest"): run.prompt_inputs,
        ("run", "result_digest"): run.result,
        **{("invocations", number, "output_digest"): each.output for number, each in enumerate(attempts)},
    }
    shown = {name: part for name, part in rows.items() if name != "chain"}
    places = [*erased_places(shown), *(place for place, value in unseen.items() if any(erased_places(value)))]
    return list(map(pointer, places))


def _approval(approval: JsonObject) -> JsonObject:
    edits = [
        edit | {"before": with_labels(edit["before"]), "after": with_labels(edit["after"])}
        for edit in approval["edits"]
    ]
    return approval | {"payload": with_labels(approval["payload"]), "edits": edits}


def _chain(row: OrchestratorRun, *, session: Session) -> JsonObject:
    own = audit_rows.audit_of_run(row.id, session=session)
    if not own:
        raise BadInput("run", str(row.id), "a run that the audit log knows")
    first, last = own[0].sequence, own[-1].sequence
    links = evidence.links_of(row.id, org_id=row.org_id, first=first, last=last, session=session)
    return {"previous_hash": own[0].previous_hash, "links": links, "head": own[-1].row_hash}


def _files(attempts: tuple[AttemptFacts, ...], folder: Path) -> list[JsonObject]:
    return [
        {"name": name, "size": size, "sha256": sha256, "found": _found(folder / name, sha256)}
        for name, (size, sha256) in files_of(attempts).items()
    ]


def _found(path: Path, sha256: str) -> str:
    found = checksum_of(path)
    return "missing" if found is None else "intact" if found == sha256 else "changed"


def _sealed(document: JsonObject, audience: Audience) -> Evidence:
    hidden = redaction()
    clients = audience is Audience.CLIENTS
    # Kept: names of members come again and again.
    censor = Censor(cache(partial(hidden.for_clients, limit=None) if clients else hidden.without_secrets))
    clean = censor.clean(document)
    for link, seen in zip(document["chain"]["links"], clean["chain"]["links"], strict=True):
        # A row that cannot be read as it was written still proves its place.
        if link.get("row") != seen.get("row") and "chain_version" in link["row"]:
            seen["content"] = content_digest(link["row"])
    return Evidence.model_validate_json(json.dumps(clean | {"withheld": censor.withheld})).sealed()


def checksums(found: Evidence, folder: Path) -> dict[str, str | None]:
    """Return the SHA-256 of each file of the evidence as it lies in a folder; None for what is not in there."""
    return {file.name: checksum_of(folder / file.name) if _is_inside(file.name) else None for file in found.artifacts}


def _is_inside(name: str) -> bool:
    # The file may come from anybody.
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts
