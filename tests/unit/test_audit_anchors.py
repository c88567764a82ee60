"""Anchors are a chain of their own, and tell of an audit chain what its own rows cannot."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from maos.audit import ChainBroken, ChainFault, ChainReader, KnownRow
from maos.audit_anchors import Anchor, AnchorReason, next_anchor, read_anchors
from tests.audit_chain import ORG, Row, chain

File = tuple[str, bytes]


def _anchors(rows: list[Row], *sequences: int) -> list[Anchor]:
    anchors: list[Anchor] = []
    for day, sequence in enumerate(sequences):
        row = (sequence, rows[sequence - 1][1])
        at = datetime(2026, 11, 20, tzinfo=UTC) + timedelta(days=day)
        before = anchors[-1] if anchors else None
        anchors.append(next_anchor(before, org="demo", org_id=ORG, row=row, reason=AnchorReason.HEAD, anchored_at=at))
    return anchors


def _files(anchors: list[Anchor]) -> list[File]:
    return [(f"{each.number:08}.json", each.rendered()) for each in anchors]


def _read(rows: list[Row], known: list[KnownRow]) -> ChainFault | None:
    reader = ChainReader(known=known)
    for document, row_hash in rows:
        if fault := reader.read(document, row_hash):
            return fault
    return reader.end(sequence=reader.sequence, row_hash=reader.row_hash)


def test_anchors_are_read_as_they_were_written() -> None:
    anchors = _anchors(chain(9), 3, 9)

    assert read_anchors(_files(anchors), ORG) == tuple(anchors)
    assert read_anchors([], ORG) == ()


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (lambda files: files[1:], "anchor 1 is missing"),
        (lambda files: [files[0], *files[2:]], "anchor 2 is missing"),
        (lambda files: [(files[0][0], files[0][1].replace(b'"sequence":3', b'"sequence":2')), *files[1:]], "follow"),
        (lambda files: [(files[0][0], files[0][1] + b" "), *files[1:]], "not as maos writes it"),
        (lambda files: [(files[0][0], b"{}"), *files[1:]], "cannot be read"),
    ],
)
def test_an_anchor_that_is_missing_or_changed_is_named(tamper: Callable[[list[File]], list[File]], reason: str) -> None:
    files = _files(_anchors(chain(9), 3, 6, 9))

    with pytest.raises(ChainBroken, match=reason):
        read_anchors(tamper(files), ORG)


def test_anchors_of_another_organisation_are_refused() -> None:
    with pytest.raises(ChainBroken, match="another organisation's"):
        read_anchors(_files(_anchors(chain(3), 3)), UUID(int=9))


def test_a_chain_with_all_anchored_rows_holds() -> None:
    rows = chain(9)

    assert _read(rows, [each.known for each in _anchors(rows, 3, 6)]) is None


def test_rows_removed_at_the_end_are_missing_though_the_head_was_mended() -> None:
    rows = chain(9)
    fault = _read(rows[:5], [each.known for each in _anchors(rows, 3, 8)])

    assert fault == ChainFault(sequence=6, reason="the rows end at 5, but row 8 was anchored at 2026-11-21T00:00:00Z")
    assert _read([], [each.known for each in _anchors(rows, 3)]) is not None


def test_a_chain_that_was_written_anew_is_located_between_two_anchors() -> None:
    # Row 5 and what follows were written anew, as consistently as only their forger could.
    rows, forged = chain(9), chain(9, changed=5)
    known = [each.known for each in _anchors(rows, 3, 8)]

    assert forged[3] == rows[3]
    assert _read(forged, []) is None
    assert _read(forged, known) == ChainFault(
        sequence=4,
        reason="row 8 is another than was anchored at 2026-11-21T00:00:00Z: "
        "rows 4 to 8 hold the first one that was written anew",
    )
