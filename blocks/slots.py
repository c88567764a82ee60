"""Slots of a Prefect concurrency limit: taken for one call, given back after it, and by itself when its holder dies."""

from dataclasses import dataclass
from uuid import UUID

from httpx import HTTPStatusError, Response, codes
from prefect.client.schemas.objects import ConcurrencyLeaseHolder

from blocks.prefect_api import hasty_prefect_api

# The shortest that Prefect allows: so long a slot stays taken whose holder was killed.
LEASE_SECONDS = 60


@dataclass(frozen=True)
class Slot:
    """A slot that is held; without a lease there is no such limit, and nothing to give back."""

    lease: UUID | None


def take_slot(limit: str, *, task_run_id: UUID | None) -> Slot | None:
    """Take a slot of a limit; return None while all of them are taken.

    Args:
        limit: the name of the limit, as the Prefect UI shows it.
        task_run_id: who holds it, for whoever looks at the limit.

    Raises:
        StackError: when the Prefect API is away.
    """
    holder = ConcurrencyLeaseHolder(type="task_run", id=task_run_id) if task_run_id else None
    with hasty_prefect_api() as client:
        try:
            # Not Prefect's own `concurrency`: more clients and a renewal at once make it nearly twice as dear.
            answer = client.increment_concurrency_slots_with_lease(
                names=[limit], slots=1, mode="concurrency", lease_duration=LEASE_SECONDS, holder=holder
            ).json()
        except HTTPStatusError as error:
            if _all_taken(error.response):
                return None
            raise
    return Slot(UUID(answer["lease_id"]) if answer["limits"] else None)


def renew_slot(slot: Slot) -> None:
    """Hold a slot for another while.

    Raises:
        StackError: when the Prefect API is away, or knows nothing of the slot any more.
    """
    if slot.lease:
        with hasty_prefect_api() as client:
            client.renew_concurrency_lease(slot.lease, lease_duration=LEASE_SECONDS)


def give_back(slot: Slot) -> None:
    """Let the next one have the slot.

    Raises:
        StackError: when the Prefect API is away; the slot then comes back by itself.
    """
    if slot.lease:
        with hasty_prefect_api() as client:
            client.release_concurrency_slots_with_lease(slot.lease)


def _all_taken(answer: Response) -> bool:
    if answer.status_code == codes.UNPROCESSABLE_ENTITY:
        # In words where an operator has set the limit to nothing; as a list where the request itself is wrong.
        return isinstance(answer.json().get("detail"), str)
    return answer.status_code == codes.LOCKED
