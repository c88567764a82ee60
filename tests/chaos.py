"""The chaos harness: a run is killed where it is told to, recovery finishes it, and the other side is counted."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_SSL_CERT_FILE, PREFECT_API_URL
from prefect.states import Crashed, Scheduled

from blocks.mail_server import MailServer
from blocks.webhooks import Webhooks
from flows.hooks import recover_crashed
from maos.approvals import Approval, ApprovalKind, Decision, DecisionPath
from maos.autonomy import AutonomyLevel
from maos.decisions import DecisionRequest
from maos.requests import RunRequest
from tasks.approvals import decide
from tasks.flow_runs import wake
from tests.chaos_plans import DEPLOYMENT, ENTRYPOINT, chaos_flow
from tests.gates import REVIEWER, pending, wait_for
from tests.mail_receiver import MailReceiver
from tests.webhook_receiver import WebhookReceiver

ROOT = Path(__file__).parent.parent
_TRIAL_SECONDS = 300.0


@dataclass
class Trial:
    """What became of one run."""

    id: UUID
    title: str
    kills: int = 0
    processes: int = 0
    passed: int = 0
    doubts: list[str] = field(default_factory=list)
    state: str = ""


class Chaos:
    """Lets runs die; a context manager."""

    def __init__(self, folder: Path, mail: MailReceiver, hook: WebhookReceiver, keyed: WebhookReceiver) -> None:
        self._folder, self._mail = folder, mail
        self._hooks = {"hook": hook, "keyed": keyed}
        self._number = 0

    def __enter__(self) -> Self:
        MailServer(host=self._mail.host, port=self._mail.port, security="none", sender="maos@demo.example").save(
            "default", overwrite=True
        )
        Webhooks(allow_private=True).save("default", overwrite=True)
        self._deployment = _deployment()
        self._process, self._rival = self._worker(), self._worker()
        return self

    def _worker(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "tests.chaos_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ
            | {
                "PREFECT_API_URL": str(PREFECT_API_URL.value()),
                "PREFECT_API_AUTH_STRING": str(PREFECT_API_AUTH_STRING.value()),
                "PREFECT_API_SSL_CERT_FILE": PREFECT_API_SSL_CERT_FILE.value() or "",
                "CHAOS_HOOK": self._hooks["hook"].url,
                "CHAOS_KEYED_HOOK": self._hooks["keyed"].url,
                "CHAOS_LOG": str(self._folder / "chaos.log"),
                "PYTHONPATH": str(ROOT),
            },
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (self._process, self._rival):
            process.kill()
            process.wait()
        MailServer().save("default", overwrite=True)
        Webhooks().save("default", overwrite=True)

    @property
    def pid(self) -> int:
        """The process that executes the run at this moment."""
        return int((self._folder / "passed.pid").read_text())

    def run(self, *, die_at: tuple[int, ...] = (), autonomy: AutonomyLevel | None = None, kind: str = "trial") -> Trial:
        """Run the plan of this kind to its end; each of the first processes is killed at its boundary."""
        self._number += 1
        title = f"{kind}-{self._number}-{'-'.join(map(str, die_at)) or 'whole'}"
        trial, fatal = Trial(self._create(title, autonomy), title), list(die_at)
        deadline = time.monotonic() + _TRIAL_SECONDS
        while time.monotonic() < deadline:
            flow_run = _read(trial.id)
            state = flow_run.state
            assert state is not None
            if state.is_final() and not state.is_crashed():
                trial.state = state.type.value
                return trial
            if state.is_paused():
                self._decide(trial)
            elif state.is_scheduled():
                self._execute(trial, fatal.pop(0) if fatal else 0)
            else:
                time.sleep(0.1)
        raise TimeoutError(f"{title}: {_read(trial.id).state}")

    def _create(self, title: str, autonomy: AutonomyLevel | None) -> UUID:
        request = RunRequest(org="demo", initiator="author@demo.example", title=title, autonomy=autonomy)
        with get_client(sync_client=True) as client:
            made = client.create_flow_run_from_deployment(
                self._deployment, parameters={"request": request.model_dump(mode="json")}, state=Scheduled()
            )
        return made.id

    def _execute(self, trial: Trial, die_at: int) -> None:
        answer = self.process(trial.id, die_at)
        trial.processes += 1
        trial.passed = max(trial.passed, answer["passed"])
        if answer["code"] == -9:
            trial.kills += 1
            with get_client(sync_client=True) as client:
                # What the worker that watched the process does.
                client.set_flow_run_state(trial.id, Crashed(message="killed"), force=True)
            flow_run = _read(trial.id)
            assert flow_run.state is not None
            recover_crashed(flow=chaos_flow, flow_run=flow_run, state=flow_run.state)

    def race(self, *, autonomy: AutonomyLevel | None = None) -> Trial:
        """Have two workers execute one run at the same time."""
        self._number += 1
        trial = Trial(self._create(f"trial-{self._number}-race", autonomy), f"trial-{self._number}-race")
        for number, process in enumerate((self._process, self._rival)):
            self._order(process, trial.id, 0, f"passed-{number}.txt")
        trial.processes = sum(_answer(process)["code"] == 0 for process in (self._process, self._rival))
        state = _read(trial.id).state
        assert state is not None
        trial.state = state.type.value
        return trial

    def process(self, run_id: UUID, die_at: int) -> dict[str, Any]:
        """Have one process execute the run."""
        self._order(self._process, run_id, die_at, "passed.txt")
        return _answer(self._process)

    def _order(self, process: "subprocess.Popen[str]", run_id: UUID, die_at: int, passed: str) -> None:
        assert process.stdin is not None
        order = {"id": str(run_id), "die_at": die_at, "passed": str(self._folder / passed)}
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()

    def _decide(self, trial: Trial) -> None:
        for approval in pending():
            if approval.run_id == trial.id:
                decide(approval.id, self._decision(approval, trial))
        wait_for(lambda: wake(trial.id, REVIEWER) or not _is_paused(trial.id))

    def _decision(self, approval: Approval, trial: Trial) -> DecisionRequest:
        choice = None
        if approval.kind is ApprovalKind.IN_DOUBT:
            trial.doubts.append(approval.step_id)
            # A person looks whether it arrived.
            choice = "done" if self.arrived(approval.step_id, trial) else "again"
        return DecisionRequest(
            decision=Decision.APPROVE, reviewer=REVIEWER, choice=choice, via=DecisionPath.COMMAND_LINE
        )

    def arrived(self, step_id: str, trial: Trial) -> int:
        """Return how often the other side has had what a step sends."""
        if step_id == "mail":
            return sum(trial.title == message.message["Subject"] for message in self._mail.messages)
        # What an agent calls goes where the plan's own call goes.
        hook = self._hooks.get(step_id, self._hooks["hook"])
        return sum(each.body == {"run": trial.title} for each in hook.deliveries)


def _answer(process: "subprocess.Popen[str]") -> dict[str, Any]:
    assert process.stdout is not None
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer


def _is_paused(run_id: UUID) -> bool:
    state = _read(run_id).state
    return state is not None and state.is_paused()


def _read(run_id: UUID) -> FlowRun:
    with get_client(sync_client=True) as client:
        return client.read_flow_run(run_id)


def _deployment() -> UUID:
    name = DEPLOYMENT.partition("/")[2]
    with get_client(sync_client=True) as client:
        flow_id = client.create_flow(chaos_flow)
        return client.create_deployment(flow_id, name, tags=[f"entrypoint:{ENTRYPOINT}"])


@contextmanager
def chaos(folder: Path) -> Iterator[Chaos]:
    """Hand out a harness with its receivers: one of the two for webhooks keeps keys."""
    with (
        MailReceiver() as mail,
        WebhookReceiver() as hook,
        WebhookReceiver(drops_repetitions=True) as keyed,
        Chaos(folder, mail, hook, keyed) as made,
    ):
        yield made
