"""At most one supervisor for each stack."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def only_holder(path: Path) -> Iterator[bool]:
    """Try to take the lock until the end of the block; yields whether it was free.

    The kernel lets go of it when the process ends, however it ends.
    """
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
