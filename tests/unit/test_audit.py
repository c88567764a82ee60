from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from maos.audit import (
    COLUMNS,
    FIRST_COLUMNS,
    GENESIS_HASH,
    AuditLink,
    ChainReader,
    Document,
    content_digest,
    document_hash,
    document_of,
    flat_json,
    link_hash,
    linked_hash,
)
from maos.canonical import canonical_json
from maos.risk import RiskLevel
from tests.audit_chain import ORG, RUN, Row, chain


def _first_fault(rows: list[Row], head: Row) -> int | None:
    reader = ChainReader()
    for document, row_hash in rows:
        if fault := reader.read(document, row_hash):
            return fault.sequence
    end = reader.end(sequence=int(str(head[0]["sequence"])), row_hash=head[1])
    return end.sequence if end else None


def test_an_untouched_chain_holds() -> None:
    rows = chain(5)

    assert _first_fault(rows, rows[-1]) is None


OTHER_VALUES: dict[str, str | int | None] = {
    "event": "step.completed",
    "actor": "somebody",
    "run_id": str(UUID(int=3)),
    "step_id": "other",
    "action": "other",
    "risk": "low",
    "was_automatic": False,
    "approval_id": str(UUID(int=4)),
    "digest": "other",
    "success": True,
    "summary": "nothing happened",
    "org_id": str(UUID(int=5)),
    "recorded_at": "2026-11-21T12:00:03Z",
    "previous_hash": "c" * 64,
    "rules_version": f"{'a' * 64}/2",
    "policy_version": 3,
    "error": "interrupted",
    "result_digest": "d" * 64,
    "chain_version": 2,
    "summary_digest": "e" * 64,
    "summary_salt": "f" * 32,
}


@pytest.mark.parametrize(("field", "value"), OTHER_VALUES.items())
def test_a_change_of_any_field_is_located(field: str, value: str | int | None) -> None:
    rows = chain(5)
    rows[2] = ({**rows[2][0], field: value}, rows[2][1])

    assert _first_fault(rows, rows[-1]) == 3


def test_every_column_has_a_case() -> None:
    assert OTHER_VALUES.keys() == set(COLUMNS) - {"sequence"}


@pytest.mark.parametrize("field", ["rules_version", "error", "chain_version"])
def test_a_later_column_set_to_null_is_located(field: str) -> None:
    rows = chain(5)
    rows[2] = ({name: value for name, value in rows[2][0].items() if name != field}, rows[2][1])

    assert _first_fault(rows, rows[-1]) == 3


def test_a_changed_row_with_a_matching_hash_breaks_the_next_link() -> None:
    rows = chain(5)
    forged = {**rows[2][0], "actor": "forged"}
    rows[2] = (forged, document_hash(forged))

    assert _first_fault(rows, rows[-1]) == 4


@pytest.mark.parametrize("removed", [1, 3, 5])
def test_a_removed_row_is_located(removed: int) -> None:
    rows = chain(5)
    head = rows[-1]
    del rows[removed - 1]

    assert _first_fault(rows, head) == removed


def test_swapped_rows_are_located() -> None:
    rows = chain(5)
    rows[1], rows[2] = rows[2], rows[1]

    assert _first_fault(rows, rows[-1]) == 2


# As the first releases wrote them: their hashes must hold for ever.
OLD_ROWS = [
    (
        AuditLink(
            event="step.failed",
            actor="clerk",
            run_id=RUN,
            step_id="write",
            action="note_high",
            risk=RiskLevel.HIGH,
            was_automatic=False,
            approval_id=UUID(int=4),
            digest="a" * 64,
            success=False,
            summary='the engine did not deliver "für" \\ \n\t\x01\x7f\u2028 日本 😀',
            org_id=ORG,
            sequence=7,
            recorded_at=datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC),
            previous_hash="b" * 64,
        ),
        "181a8d2745708595c56d7f7d6c40fd442a68fe307ffeafc0f0a4251d4a1c7c3b",
    ),
    (
        AuditLink(
            event="rules.stored",
            actor="owner@demo.example",
            run_id=None,
            summary="stored",
            org_id=ORG,
            sequence=1,
            recorded_at=datetime(2026, 11, 20, 12, tzinfo=UTC),
            previous_hash=GENESIS_HASH,
        ),
        "6d7c6816527f8ff4f9e9db93e1f974e1ff2b8028a340504cb778d4b8a6fe9f10",
    ),
]


@pytest.mark.parametrize(("link", "row_hash"), OLD_ROWS)
def test_rows_of_the_first_releases_keep_their_hashes(link: AuditLink, row_hash: str) -> None:
    assert link_hash(link) == row_hash
    assert set(document_of(link)) == set(FIRST_COLUMNS)


@pytest.mark.parametrize(("link", "row_hash"), OLD_ROWS)
@pytest.mark.parametrize(
    "field", ["rules_version", "policy_version", "error", "result_digest", "chain_version", "summary_digest"]
)
def test_a_later_column_cannot_be_set_in_an_old_row(link: AuditLink, row_hash: str, field: str) -> None:
    value = {"policy_version": 1, "chain_version": 2}.get(field, "timed_out")

    assert document_hash({**document_of(link), field: value}) != row_hash


def test_the_hash_does_not_depend_on_the_timezone_a_driver_returns() -> None:
    link, row_hash = OLD_ROWS[0]
    elsewhere = link.recorded_at.astimezone(timezone(timedelta(hours=5)))

    assert link_hash(link.model_copy(update={"recorded_at": elsewhere})) == row_hash


def test_the_place_of_a_row_can_be_shown_without_its_content() -> None:
    document, row_hash = chain(2)[1]

    assert linked_hash(content_digest(document), str(document["previous_hash"])) == row_hash


@pytest.mark.parametrize("plane", range(17))
def test_the_fast_form_is_the_canonical_form_of_every_character(plane: int) -> None:
    text = "".join(map(chr, [each for each in range(plane << 16, (plane + 1) << 16) if not 0xD800 <= each <= 0xDFFF]))
    document: Document = {"b": text, "a": None, "d": True, "c": 12, "e": False}

    assert flat_json(document) == canonical_json(dict(document))


@pytest.mark.parametrize("number", [0, -1, 2**63 - 1, -(2**63), 2**64, 10**40])
def test_the_fast_form_is_the_canonical_form_of_every_number(number: int) -> None:
    document: Document = {"sequence": number, "é": "é", "z": None, "a": "a"}

    assert flat_json(document) == canonical_json(dict(document))


def _erased(rows: list[Row], number: int) -> None:
    document, row_hash = rows[number - 1]
    rows[number - 1] = ({**document, "summary": "[erased]", "summary_salt": ""}, row_hash)


def test_a_summary_can_be_erased_where_a_later_row_says_so() -> None:
    rows = chain(5, erasure=4)
    _erased(rows, 3)

    assert _first_fault(rows, rows[-1]) is None


@pytest.mark.parametrize("erasure", [0, 2])
def test_a_summary_that_nobody_says_was_erased_is_located(erasure: int) -> None:
    rows = chain(5, erasure=erasure)
    _erased(rows, 3)

    assert _first_fault(rows, rows[-1]) == 3


def test_an_erased_summary_cannot_be_guessed() -> None:
    rows = chain(2)
    document, row_hash = rows[1]
    rows[1] = ({**document, "summary": "[erased]"}, row_hash)

    # With its salt it is not erased: whoever knows that can try what it has said.
    assert _first_fault(rows, rows[-1]) == 2
