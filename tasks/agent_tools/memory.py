"""What the agents of a run note for each other; written as the run's process writes everything."""

from maos.errors import BadInput
from maos.runs import Run
from sql import agent_memory
from sql.agent_tables import SharedMemory
from sql.session import org_session
from tasks.leases import run_session
from tasks.outages import outlasting

MOST_NOTES = 200


@outlasting
def remember(run: Run, key: str, value: str, *, written_by: str) -> None:
    """Note something for every agent of the run.

    Raises:
        BadInput: when the run has no room for another note.
        LeaseLost: when another process has taken the run up.
    """
    # PostgreSQL keeps no NUL, and no half of a pair of surrogates.
    text = value.replace("\x00", "").encode(errors="replace").decode() or " "
    with run_session(run) as session:
        known = agent_memory.noted(run.id, key, session=session)
        if known is None and agent_memory.count(run.id, session=session) >= MOST_NOTES:
            raise BadInput("key", key, f"one of the run's {MOST_NOTES} keys; there is no room for more")
        row = SharedMemory(org_id=run.org_id, run_id=run.id, key=key, value=text, written_by=written_by)
        agent_memory.note(row, session=session)


@outlasting
def recall(run: Run, key: str | None) -> str:
    """Return what is noted under a key with who wrote it; without a key, the keys."""
    with org_session(run.org_id) as session:
        if key is None:
            return "\n".join(agent_memory.keys(run.id, session=session)) or "nothing is noted"
        found = agent_memory.noted(run.id, key, session=session)
    if found is None:
        return f"nothing is noted under {key!r}"
    return f"{found.value}\n\n(noted by {found.written_by}, version {found.version})"
