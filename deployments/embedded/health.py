"""Ask each part whether it works, rather than whether its process exists."""

import time
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from deployments.embedded.connection import Connection
from deployments.embedded.parts import PartName
from deployments.embedded.postgres import connection_fault
from deployments.embedded.prefect_api import api_client, api_fault
from deployments.embedded.prefect_settings import WORK_POOL
from deployments.embedded.processes import ProcessMark, is_alive
from deployments.embedded.worker_name import worker_name

_HEARTBEAT_AGE = timedelta(seconds=60)


def fault_of(name: str, connection: Connection, mark: ProcessMark | None) -> str | None:
    """Return what is wrong with a part, or nothing when it works.

    Args:
        name: which part.
        connection: where the stack answers.
        mark: its process, where it runs here.
    """
    if mark is not None and not is_alive(mark):
        return "its process has ended"
    if name == PartName.POSTGRES:
        return connection_fault(connection.database_url)
    with api_client(connection.prefect_api_url, connection.prefect_api_auth_string) as client:
        fault = api_fault(client)
        return fault if fault or name == PartName.PREFECT else _worker_fault(client, mark)


def _worker_fault(client: httpx.Client, mark: ProcessMark | None) -> str | None:
    answer = client.post(f"/work_pools/{WORK_POOL}/workers/filter", json={})
    if answer.status_code != httpx.codes.OK:
        return f"has not joined the work pool {WORK_POOL!r}"
    # By the server's clock, which stamps the heartbeats; ours may be another.
    now = parsedate_to_datetime(answer.headers["date"])
    life = timedelta(seconds=time.time() - mark.created + 1) if mark else _HEARTBEAT_AGE
    for worker in answer.json():
        heartbeat = worker["name"] == worker_name() and worker["last_heartbeat_time"]
        if heartbeat and now - datetime.fromisoformat(heartbeat) < min(life, _HEARTBEAT_AGE):
            return None
    return "has sent no heartbeat lately"
