"""How many calls of each engine may be under way at once, as limits that operators see and change in the Prefect UI."""

import httpx

from maos.engines import EngineType
from maos.settings import Settings

_LIMITS = "/v2/concurrency_limits"


def ensure_limits(client: httpx.Client, settings: Settings) -> None:
    """Make the limits that are missing; one that exists stays as it is, unless a setting says otherwise.

    What an operator changes in the UI outlasts a restart; what stands in the environment is the operator's word too.
    """
    for engine in EngineType:
        limit, path = settings.limit_of(engine), f"{_LIMITS}/{engine.tag}"
        given = f"limit_{engine.value}" in settings.model_fields_set
        found = client.get(path)
        if found.status_code == httpx.codes.NOT_FOUND:
            if limit:
                client.post(f"{_LIMITS}/", json={"name": engine.tag, "limit": limit}).raise_for_status()
        elif given and not limit:
            client.delete(path).raise_for_status()
        elif given and found.raise_for_status().json()["limit"] != limit:
            client.patch(path, json={"limit": limit}).raise_for_status()
