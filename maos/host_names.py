"""Names of hosts and domains."""

from typing import Annotated

from pydantic import StringConstraints

HostName = Annotated[
    str, StringConstraints(to_lower=True, pattern=r"^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*$")
]
