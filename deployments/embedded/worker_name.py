"""The name under which the Prefect server knows this machine's worker."""

import platform
import re


def worker_name() -> str:
    """Return a name that stays the same between starts and differs between machines."""
    return f"maos-{re.sub(r'[^A-Za-z0-9.-]', '-', platform.node()) or 'local'}"
