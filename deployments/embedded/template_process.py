"""A process that has Prefect and the flows loaded and forks itself for each run, which then starts in 0.1 s, not 2.

It runs no flow itself, has one thread and opens no connection. When the code on disk is no longer what it has loaded,
it refuses and ends; a launcher without it starts the run in the ordinary way.
"""

import ctypes
import gc
import importlib
import os
import pkgutil
import runpy
import signal
import sys
import threading
from pathlib import Path

import prefect.context
import prefect.flow_engine
import prefect.task_engine

import blocks
import flows
import tasks
from deployments.embedded.environment import PROJECT
from deployments.embedded.forking import ForkServer, Request
from deployments.embedded.launcher import SOCKET_VARIABLE
from maos.vendor_terms import vendor_terms
from tasks.logs import guard

_PR_SET_PDEATHSIG = 1
# Heavy, and so imported by our code only where it is used: here that would be in every run again.
_LOADED_LATE = ("matplotlib.backends.backend_svg", "matplotlib.figure")


def main() -> None:
    """Load everything, then serve; in a forked child, be the run."""
    for package in (flows, tasks, blocks):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    for library in _LOADED_LATE:
        importlib.import_module(library)
    # Compiled from all the price data there is.
    vendor_terms()
    loaded, template = _source_times(), os.getpid()
    server = ForkServer(
        Path(os.environ[SOCKET_VARIABLE]),
        may_fork=lambda: threading.active_count() == 1 and _source_times() == loaded,
    )
    signal.signal(signal.SIGTERM, lambda *_: server.leave())
    # Frozen, the objects stay on memory pages that the children share.
    gc.freeze()
    request = server.serve()
    if request is None:
        # Nothing is left to be done in order, and some libraries complain about frozen objects at an ordinary end.
        os._exit(0)
    gc.unfreeze()
    _run(request, template)


def _run(request: Request, template: int) -> None:
    """Become what `python -m prefect.engine` would have been in the launcher's place."""
    # Of its own, so that a signal to the worker's session reaches it once, through its launcher.
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != template:
        os._exit(1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for number, descriptor in enumerate(request.standard_files):
        os.dup2(descriptor, number)
        os.close(descriptor)
    if (numpy := sys.modules.get("numpy")) is not None:
        # Its generator is a copy of the template's: every run would draw the same numbers.
        numpy.random.seed()
    os.environ.clear()
    os.environ.update(request.environment)
    os.chdir(request.folder)
    sys.argv = ["prefect.engine"]
    prefect.context.refresh_global_settings_context()
    guard()
    # Loaded by the flows; run again as a program, it would be there twice.
    sys.modules.pop("prefect.engine", None)
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


def _source_times() -> dict[str, int]:
    """Return when each loaded file of this project was last written."""
    files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
    ours = {file for file in files if file.startswith(f"{PROJECT}{os.sep}") and "site-packages" not in file}
    return {file: os.stat(file).st_mtime_ns for file in ours if Path(file).exists()}


if __name__ == "__main__":
    main()
