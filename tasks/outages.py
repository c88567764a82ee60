"""Outlasting a database that is away for a while, such as one that restarts."""

import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from maos.errors import StackError

_PATIENCE_SECONDS = 60.0
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0

P = ParamSpec("P")
T = TypeVar("T")


def outlasting(access: Callable[P, T]) -> Callable[P, T]:
    """Repeat an access to the ledger while the database is away, for up to a minute.

    The access must be harmless to repeat: whether a commit whose answer was lost has happened is not known.
    """

    @wraps(access)
    def patient(*args: P.args, **kwargs: P.kwargs) -> T:
        deadline, pause = time.monotonic() + _PATIENCE_SECONDS, _FIRST_PAUSE_SECONDS
        while True:
            try:
                return access(*args, **kwargs)
            except StackError as error:
                if error.part != "database" or time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    return patient
