"""The Prefect API as something that may be away: its client, with one error for all that can go wrong on the way."""

from collections.abc import Iterator
from contextlib import contextmanager

from httpx import HTTPError
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from maos.errors import StackError

_RETRIES = 1
_TIMEOUT_SECONDS = 5.0


@contextmanager
def prefect_faults() -> Iterator[None]:
    """Turn what goes wrong on the way to the Prefect API into one error.

    Raises:
        StackError: when the API is away or refuses a request.
    """
    try:
        yield
    except HTTPError as error:
        raise StackError("Prefect API", str(error) or type(error).__name__) from error


@contextmanager
def hasty_prefect_api() -> Iterator[SyncPrefectClient]:
    """Give a client of the Prefect API that is not patient: for what a run can do without.

    Raises:
        StackError: when the API is away or refuses a request made with the client.
    """
    # Of its own: the client of a flow run waits a minute and more for an API that is away.
    with (
        prefect_faults(),
        temporary_settings({PREFECT_CLIENT_MAX_RETRIES: _RETRIES}),
        get_client(sync_client=True, httpx_settings={"timeout": _TIMEOUT_SECONDS}) as client,
    ):
        yield client
