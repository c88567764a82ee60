"""A process that forks itself for each flow run, and lets each die where it is told to.

A line on standard input, as JSON: the flow run's id, and at which boundary its process is killed (0: never). A line
on standard output when it has ended: its exit code, and how many boundaries it passed. A boundary is the moment just
before and just after every commit of a write, and just before, during and just after every service's work.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine
from sqlmodel import Session

import tasks.internal_service
import tests.chaos_plans
from maos.vendor_terms import vendor_terms

_INTO_THE_WORK_SECONDS = 0.01
_WRITES = ("INSERT", "UPDATE", "DELETE")


class Boundaries:
    """Counts the boundaries that this process passes, and ends it at one of them."""

    def __init__(self, fatal: int, passed: Path) -> None:
        self._fatal = fatal
        self._passed = passed
        self._count = 0
        self._lock = threading.Lock()

    def cross(self) -> None:
        with self._lock:
            self._count += 1
            self._passed.write_text(str(self._count))
            if self._count == self._fatal:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Cross one at each commit of a write, and around each service's work."""
        event.listen(Engine, "before_cursor_execute", self._note_write)
        event.listen(Session, "before_commit", self._before_commit)
        event.listen(Session, "after_commit", self._after_commit)
        run_apart = tasks.internal_service.run_apart

        def watched(work: Any, *, timeout_seconds: float) -> Any:
            self.cross()
            meanwhile = threading.Timer(_INTO_THE_WORK_SECONDS, self.cross)
            meanwhile.start()
            result = run_apart(work, timeout_seconds=timeout_seconds)
            meanwhile.join()
            self.cross()
            return result

        tasks.internal_service.run_apart = watched

    def _note_write(self, connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().upper().startswith(_WRITES) and "lease_expires_at=(now()" not in statement:
            connection.info["wrote"] = True

    def _before_commit(self, session: Session) -> None:
        if session.connection().info.pop("wrote", False):
            session.info["wrote"] = True
            self.cross()

    def _after_commit(self, session: Session) -> None:
        if session.info.pop("wrote", False):
            self.cross()


def main() -> None:
    """Load everything, then fork for each line."""
    import anthropic  # noqa: F401 - loaded here, they are there in every child
    import prefect.flow_engine
    import prefect.task_engine  # noqa: F401

    vendor_terms()

    for line in sys.stdin:
        order = json.loads(line)
        passed = Path(order["passed"])
        passed.write_text("0")
        child = os.fork()
        if child == 0:
            _be_run(order, passed)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps({"code": code, "passed": int(passed.read_text() or 0)}), flush=True)


def _be_run(order: dict[str, Any], passed: Path) -> None:
    """Do what a worker's process does for a flow run."""
    passed.with_suffix(".pid").write_text(str(os.getpid()))
    from uuid import UUID

    from prefect.client.orchestration import get_client
    from prefect.flow_engine import run_flow

    # The answers go over standard output; a run's own words go elsewhere.
    log = os.open(os.environ["CHAOS_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    code = 1
    try:
        tests.chaos_plans.install()
        Boundaries(order["die_at"], passed).watch()
        with get_client(sync_client=True) as client:
            flow_run = client.read_flow_run(UUID(order["id"]))
        parameters = tests.chaos_plans.parameters_of(flow_run.parameters)
        run_flow(tests.chaos_plans.chaos_flow, flow_run=flow_run, parameters=parameters, return_type="state")
        code = 0
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
