"""Random plans, failures and decisions in random order, against a small model of what must come out."""

from dataclasses import dataclass, field
from random import Random

import pytest

from maos.approvals import Approval
from maos.frontier import next_move
from maos.plans import PlanStep
from maos.runs import Ledger
from maos.statuses import ApprovalStatus, RunStatus
from tests.runs import ACTIONS, DONE, approval, run_of, step

GRAPHS = 600
MOST_STEPS = 50


@dataclass
class World:
    """A plan, what will become of each of its steps, and what has become of them so far."""

    steps: list[PlanStep]
    failing: set[str]
    decisions: dict[str, ApprovalStatus]
    random: Random
    finished: set[str] = field(default_factory=set)
    busy: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    approvals: dict[str, Approval] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, seed: int) -> "World":
        """Make a world from a seed."""
        random = Random(seed)  # noqa: S311 - a world, not a secret
        names = [f"s{number}" for number in range(random.randint(1, MOST_STEPS))]
        steps = [
            step(
                name,
                random.choice(["low", "low", "low", "medium", "high", "critical"]),
                tuple(random.sample(names[:at], min(at, random.choice([0, 1, 1, 2, 3])))),
            )
            for at, name in enumerate(names)
        ]
        bad = random.choice([0.0, 0.02, 0.1])
        answers = [ApprovalStatus.REJECTED, ApprovalStatus.EXPIRED]
        return cls(
            steps=steps,
            failing={name for name in names if random.random() < bad},
            decisions={
                each.id: random.choice(answers) if random.random() < bad else ApprovalStatus.APPROVED
                for each in steps
                if each.action != "low"
            },
            random=random,
        )

    def live(self) -> RunStatus:
        """Let the run live to its end, checking every move."""
        run = run_of(*self.steps)
        for _ in range(10 * len(self.steps) + 10):
            ledger = Ledger(finished=dict.fromkeys(self.finished, DONE), approvals=self.approvals)
            move = next_move(run, ledger, ACTIONS, busy=set(self.busy), failed=self.failed)
            if move.end:
                assert not self.busy
                return move.end
            for each in move.open_gates:
                assert each.id not in self.approvals
                self.approvals[each.id] = approval(each.id, ApprovalStatus.PENDING)
            for each in move.start:
                self._start(each)
            if move.wait_for:
                assert not self.busy
                self._decide([waiting.step_id for waiting in move.wait_for])
            elif self.busy and not move.open_gates:
                self._land()
            else:
                assert move.open_gates or move.start
        raise AssertionError("the run does not end")

    def _start(self, each: PlanStep) -> None:
        assert each.depends_on <= self.finished
        assert each.id not in self.started
        if each.id in self.decisions:
            assert self.approvals[each.id].status is ApprovalStatus.APPROVED
        self.started.append(each.id)
        self.busy.add(each.id)

    def _decide(self, waiting: list[str]) -> None:
        for name in self.random.sample(waiting, self.random.randint(1, len(waiting))):
            self.approvals[name] = approval(name, self.decisions[name])

    def _land(self) -> None:
        name = self.random.choice(sorted(self.busy))
        self.busy.remove(name)
        if name in self.failing:
            self.failed[name] = "broken"
        else:
            self.finished.add(name)

    def possible_ends(self) -> set[RunStatus]:
        """Say by the model alone how the run may end: a step is reached when nothing before it goes wrong."""
        reached: set[str] = set()
        ends: set[RunStatus] = set()
        for each in self.steps:
            if not each.depends_on <= reached:
                continue
            if self.decisions.get(each.id, ApprovalStatus.APPROVED) is not ApprovalStatus.APPROVED:
                ends.add(RunStatus.CANCELLED)
            elif each.id in self.failing:
                ends.add(RunStatus.FAILED)
            else:
                reached.add(each.id)
        return ends or {RunStatus.COMPLETED}


@pytest.mark.parametrize("chunk", range(6))
def test_every_run_ends_as_the_model_says_and_no_step_starts_twice_or_too_early(chunk: int) -> None:
    size = GRAPHS // 6
    seen: set[RunStatus] = set()
    for seed in range(chunk * size, (chunk + 1) * size):
        world = World.of(seed)

        end = world.live()

        assert end in world.possible_ends(), seed
        if end is RunStatus.COMPLETED:
            assert world.finished == {each.id for each in world.steps}, seed
        seen.add(end)
    assert seen == {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED}
