"""Noting the heads of audit chains in the artifact store, outside of the database; and reading what was noted."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from maos.audit import ChainBroken
from maos.audit_anchors import Anchor, AnchorReason, next_anchor, read_anchors
from maos.settings import load_settings
from sql import audit, audit_rows
from sql.session import only_one, system_session
from sql.tables import utc_now
from tasks.files import write_whole

# Any constant will do: it keeps two processes from writing an anchor of the same number.
ANCHORING = 0x616E6368
FOLDER = "audit-anchors"


@dataclass(frozen=True)
class Chain:
    """An organisation's audit chain, with the folder of its anchors."""

    org: str
    org_id: UUID
    folder: Path

    @property
    def anchors(self) -> tuple[Anchor, ...]:
        """Its anchors, the oldest first.

        Raises:
            ChainBroken: when one is missing, changed or somebody else's.
        """
        files = sorted(self.folder.glob("*.json"))
        return read_anchors([(path.name, path.read_bytes()) for path in files], self.org_id)


def chain_of(org: str, org_id: UUID, *, store: Path | None = None) -> Chain:
    """Return a chain with its folder.

    Args:
        store: a copy of the artifact store; by default the store itself.
    """
    return Chain(org, org_id, (store or load_settings().artifact_store) / org / FOLDER)


def anchor_all() -> list[str]:
    """Note the head of every chain that has grown since its last anchor; say of which.

    Raises:
        ChainBroken: when anchors are missing or changed; and, after all the others are noted, when a chain no longer
            has the row that was noted last.
    """
    with system_session() as session:
        if not only_one(ANCHORING, session=session):
            return []
        chains = [chain_of(org, org_id) for org_id, org in audit.organizations_with_audit(session=session)]
        broken = [chain for chain in chains if not _holds(chain)]
        said = [_anchored(chain) for chain in chains if chain not in broken]
    if broken:
        raise ChainBroken(", ".join(chain.org for chain in broken), "the row that was anchored last is not in it")
    return [each for each in said if each]


def _holds(chain: Chain) -> bool:
    anchors = chain.anchors
    if not anchors:
        return True
    with system_session() as session:
        row = audit_rows.audit_row(chain.org_id, anchors[-1].sequence, session=session)
    return row is not None and row.row_hash == anchors[-1].row_hash


def _anchored(chain: Chain) -> str | None:
    with system_session() as session:
        head = audit.head_of(chain.org_id, session=session)
    if head[0] == 0 or (last := anchor_row(chain, head, AnchorReason.HEAD)) is None:
        return None
    return f"{chain.org}: row {last.sequence} anchored as number {last.number}"


def anchor_row(chain: Chain, row: tuple[int, str], reason: AnchorReason) -> Anchor | None:
    """Note sequence and hash of a row; return None when that is noted already."""
    anchors = chain.anchors
    if any((each.sequence, each.row_hash) == row for each in anchors):
        return None
    before = anchors[-1] if anchors else None
    anchor = next_anchor(before, org=chain.org, org_id=chain.org_id, row=row, reason=reason, anchored_at=utc_now())
    chain.folder.mkdir(parents=True, exist_ok=True)
    write_whole(chain.folder / f"{anchor.number:08}.json", [anchor.rendered()])
    return anchor
