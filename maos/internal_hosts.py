"""Machines that are nobody else's business: private addresses, names that mean something only inside, our own."""

import re
from collections.abc import Iterable

# Addresses of private networks, of this machine and of its link, by their beginnings.
_PRIVATE = (
    r"127(?:\.\d{1,3}){3}|10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2}|"
    r"169\.254(?:\.\d{1,3}){2}|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])(?:\.\d{1,3}){2}|0\.0\.0\.0|"
    r"\[?::1\]?|\[?f(?:[cd][0-9a-f]{2}|e[89ab][0-9a-f]):[0-9a-f:]+\]?"
)
_INSIDE = r"localhost|(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:internal|local|localdomain|lan|intranet|corp|home\.arpa)"
# In an address, what stands around the host goes with it.
_PORT = r"(?::\d{1,5}\b)?"


def hosts_pattern(configured: Iterable[str]) -> re.Pattern[str]:
    """Return the pattern of internal hosts, these among them; a port goes with its host."""
    named = [re.escape(host) for host in sorted(configured, key=lambda host: (-len(host), host)) if host]
    # The domain of an email address says whose it is; behind a login that was taken out, it is a host.
    names = rf"(?<!\w@)(?:{'|'.join([*named, _INSIDE])})"
    return re.compile(rf"(?<![\w.-])(?:{names}|{_PRIVATE})(?![\w-]|\.\w){_PORT}", re.IGNORECASE)
