"""Settings of the Prefect processes: pure data, so that the supervisor need not import Prefect."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from deployments.embedded.home import Home
from deployments.embedded.launcher import SOCKET_VARIABLE

WORK_POOL = "maos"
# The tag of the flows that keep the house, and the queue of the pool that goes before all others.
HOUSEKEEPING = "housekeeping"
# `python` is found through the worker's PATH, so that a worker elsewhere has its own.
RUN_COMMAND = "python -m deployments.embedded.launcher"


def server_environment(home: Home, *, port: int, database_url: str, auth_string: str) -> dict[str, str]:
    """Return the settings of the server."""
    return {
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
        "PREFECT_SERVER_API_AUTH_STRING": auth_string,
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": asyncpg_url(database_url),
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://127.0.0.1:{port},http://localhost:{port}",
        "PREFECT_SERVER_UI_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(home.prefect / "ui"),
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        # In memory, as by default, a restart would forget who holds which slot of a limit, and those never came back.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        # In batches the recorder costs the server a third of the processor time, and a second of delay.
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "50",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "50",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    }


def worker_environment(home: Home) -> dict[str, str]:
    """Return the settings of the worker and of the flow processes it starts."""
    return {
        # In the machine's own, Prefect makes a folder that only the first user of a machine may write to.
        "TMPDIR": str(home.temporary),
        SOCKET_VARIABLE: str(home.launch_socket),
        # A run starts in a fraction of a second, so that waiting to be found would dominate.
        "PREFECT_WORKER_QUERY_SECONDS": "0.5",
        "PREFECT_WORKER_PREFETCH_SECONDS": "1",
        "PREFECT_WORKER_HEARTBEAT_SECONDS": "10",
        "PREFECT_RESULTS_LOCAL_STORAGE_PATH": str(home.prefect / "results"),
    }


def asyncpg_url(database_url: str) -> str:
    """Return an address of PostgreSQL as Prefect's driver wants it."""
    parts = urlsplit(database_url)
    # The driver calls it `ssl` and refuses every other parameter of libpq.
    query = [("ssl", value) for name, value in parse_qsl(parts.query) if name == "sslmode"]
    return urlunsplit(("postgresql+asyncpg", parts.netloc, parts.path, urlencode(query), ""))
