"""Start the parts of a stack, keep them running, stop them."""

import os
import time
from collections.abc import Callable
from functools import partial
from threading import Event

from deployments.embedded.backoff import Backoff
from deployments.embedded.databases import create_beside, create_embedded
from deployments.embedded.health import fault_of
from deployments.embedded.home import tail
from deployments.embedded.leftovers import stop_parts
from deployments.embedded.parts import Part, PartName
from deployments.embedded.processes import (
    Command,
    ProcessMark,
    end_all,
    is_alive,
    launch,
    mark_of,
    run,
    session_members,
)
from deployments.embedded.stack import Stack
from deployments.embedded.state import PartState, StackState
from maos.errors import StackError

_START_SECONDS = 180.0
_POLL_SECONDS = 0.1
_WATCH_SECONDS = 0.25


class Supervisor:
    """The one process that owns a running stack."""

    def __init__(self, stack: Stack, *, stopping: Event, report: Callable[[str], None]) -> None:
        """Prepare to own a stack.

        Args:
            stack: what to run.
            stopping: set when it is to end.
            report: where to say what happens.
        """
        self._stack = stack
        self._stopping = stopping
        self._report = report
        self._own_mark = mark_of(os.getpid())
        self._marks: dict[PartName, ProcessMark] = {}
        self._backoffs = {part.name: Backoff() for part in stack.parts}

    def start(self, previous: StackState | None) -> None:
        """Start what is missing and return when every part works.

        Args:
            previous: the processes of the last stack; sound ones are taken over, others stopped.
        """
        self._marks = self._sound_parts(previous)
        self._write(ready=False)
        for name in self._marks:
            self._report(f"{name} still runs: taken over")
        for left in stop_parts(self._stack.home, previous, keep=self._marks.values()):
            self._report(f"{left} was left by an earlier stack: stopped")
        for part in self._stack.parts:
            self._launch_missing(part)
            if part.name == PartName.POSTGRES:
                self._prepare_databases()
        self._bootstrap()
        self._wait_healthy(self._stack.parts)
        self._stack.connection.write(self._stack.home.connection)
        self._write(ready=True)

    def watch(self) -> None:
        """Start again what ends, until this process is to end or the stack's folder is gone."""
        while not self._stopping.wait(_WATCH_SECONDS) and self._stack.home.lock.exists():
            for part in self._stack.parts:
                self._revive(part)

    def stop(self) -> None:
        """Stop every part in order and forget them."""
        stop_parts(self._stack.home, self._state(ready=False))
        self._stack.home.connection.unlink(missing_ok=True)
        self._stack.home.state.unlink(missing_ok=True)

    def _sound_parts(self, previous: StackState | None) -> dict[PartName, ProcessMark]:
        """Return the living processes of the last stack that are what would be started now."""
        sound: dict[PartName, ProcessMark] = {}
        for part in self._stack.parts:
            last = previous.part(part.name) if previous else None
            if part.command is None or last is None or last.mark is None or last.fingerprint != part.fingerprint:
                continue
            # A worker waits for a server that is away, so that its life is all that counts.
            if is_alive(last.mark) and (part.name == PartName.WORKER or self._fault(part, last.mark) is None):
                sound[part.name] = last.mark
        return sound

    def _fault(self, part: Part, mark: ProcessMark | None) -> str | None:
        return fault_of(part.name, self._stack.connection, mark)

    def _launch_missing(self, part: Part) -> None:
        if part.command is None or part.name in self._marks:
            return
        self._refuse_when_stopping()
        self._report(f"{part.name}: starting")
        self._launch(part, part.command)

    def _launch(self, part: Part, command: Command) -> None:
        if part.name == PartName.POSTGRES and self._stack.cluster is not None:
            self._stack.cluster.prepare()
        self._marks[part.name] = launch(command)
        self._backoffs[part.name].note_start(time.monotonic())
        self._write(ready=False)

    def _prepare_databases(self) -> None:
        if self._stack.cluster is None:
            create_beside(self._stack.connection.database_url)
            return
        self._stack.cluster.wait_ready(self._check_parts)
        create_embedded(self._stack.cluster.url(), self._stack.credentials)

    def _bootstrap(self) -> None:
        self._report("databases and deployments: bringing up to date")
        if run(self._stack.bootstrap, while_waiting=self._check_parts) != 0:
            raise StackError("bootstrap", f"failed:\n{tail(self._stack.bootstrap.log)}")

    def _wait_healthy(self, parts: tuple[Part, ...]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        for part in parts:
            while (fault := self._fault(part, self._marks.get(part.name))) is not None:
                self._check_parts()
                if time.monotonic() > deadline:
                    raise StackError(part.name, fault)
                time.sleep(_POLL_SECONDS)

    def _check_parts(self) -> None:
        """Give up a start in which a part has ended, or that nobody wants any more."""
        self._refuse_when_stopping()
        for part in self._stack.parts:
            if part.name in self._marks and part.command and not is_alive(self._marks[part.name]):
                raise StackError(part.name, f"ended while starting:\n{tail(part.command.log)}")

    def _refuse_when_stopping(self) -> None:
        if self._stopping.is_set():
            raise StackError("stack", "stopped before it was ready")

    def _revive(self, part: Part) -> None:
        mark = self._marks.get(part.name)
        if part.command is None or mark is None or is_alive(mark):
            return
        if not self._backoffs[part.name].may_start(time.monotonic()):
            return
        self._report(f"{part.name} (process {mark.pid}) has ended: starting it again")
        # What it had started would go on unattended.
        end_all(partial(session_members, mark), 5.0)
        try:
            self._launch(part, part.command)
        except StackError as error:
            self._backoffs[part.name].note_start(time.monotonic())
            self._report(f"error: {error}")
        self._write(ready=True)

    def _write(self, *, ready: bool) -> None:
        self._state(ready=ready).write(self._stack.home.state)

    def _state(self, *, ready: bool) -> StackState:
        parts = tuple(
            PartState(
                name=part.name,
                address=part.address,
                mark=self._marks.get(part.name),
                fingerprint=part.fingerprint,
            )
            for part in self._stack.parts
        )
        return StackState(supervisor=self._own_mark, ready=ready, parts=parts)
