from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from maos.audit import GENESIS_HASH, AuditLink, ChainReader, link_hash
from maos.risk import RiskLevel

ORG, RUN = UUID(int=1), UUID(int=2)


def _chain(length: int) -> list[tuple[AuditLink, str]]:
    links: list[tuple[AuditLink, str]] = []
    previous = GENESIS_HASH
    for number in range(1, length + 1):
        link = AuditLink(
            event="step.completed",
            actor="clerk",
            run_id=RUN,
            summary=f"step {number}",
            org_id=ORG,
            sequence=number,
            recorded_at=datetime(2026, 11, 20, 12, tzinfo=UTC) + timedelta(seconds=number),
            previous_hash=previous,
        )
        previous = link_hash(link)
        links.append((link, previous))
    return links


def _first_fault(links: list[tuple[AuditLink, str]], head: tuple[AuditLink, str]) -> int | None:
    reader = ChainReader()
    for link, row_hash in links:
        if fault := reader.read(link, row_hash):
            return fault.sequence
    end = reader.end(sequence=head[0].sequence, row_hash=head[1])
    return end.sequence if end else None


def test_an_untouched_chain_holds() -> None:
    links = _chain(5)

    assert _first_fault(links, links[-1]) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event", "step.failed"),
        ("actor", "somebody"),
        ("run_id", UUID(int=3)),
        ("step_id", "other"),
        ("action", "other"),
        ("risk", RiskLevel.LOW),
        ("was_automatic", False),
        ("approval_id", UUID(int=4)),
        ("digest", "other"),
        ("success", False),
        ("summary", "nothing happened"),
        ("org_id", UUID(int=5)),
        ("recorded_at", datetime(2026, 11, 21, tzinfo=UTC)),
    ],
)
def test_a_change_of_any_field_is_located(field: str, value: object) -> None:
    links = _chain(5)
    links[2] = (links[2][0].model_copy(update={field: value}), links[2][1])

    assert _first_fault(links, links[-1]) == 3


def test_a_changed_row_with_a_matching_hash_breaks_the_next_link() -> None:
    links = _chain(5)
    forged = links[2][0].model_copy(update={"summary": "forged"})
    links[2] = (forged, link_hash(forged))

    assert _first_fault(links, links[-1]) == 4


@pytest.mark.parametrize("removed", [1, 3, 5])
def test_a_removed_row_is_located(removed: int) -> None:
    links = _chain(5)
    head = links[-1]
    del links[removed - 1]

    assert _first_fault(links, head) == removed


def test_swapped_rows_are_located() -> None:
    links = _chain(5)
    links[1], links[2] = links[2], links[1]

    assert _first_fault(links, links[-1]) == 2


def test_the_hash_does_not_depend_on_the_timezone_a_driver_returns() -> None:
    link, row_hash = _chain(1)[0]
    elsewhere = link.recorded_at.astimezone(timezone(timedelta(hours=5)))

    assert link_hash(link.model_copy(update={"recorded_at": elsewhere})) == row_hash
