"""Random plans, failures, doubts, decisions, holds and deaths in random order, against a small model of the outcome."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import pytest

from maos.approvals import Approval, ApprovalKind
from maos.effects import DoubtChoice
from maos.failures import FailureKind
from maos.frontier import Move, next_move
from maos.plans import OnFailure, OnReject, PlanStep
from maos.runs import FailedStep, Ledger
from maos.statuses import ApprovalStatus, RunStatus
from tests.reliability import record
from tests.runs import ACTIONS, DONE, NOW, approval, run_of, step

GRAPHS = 1000
CHUNKS = 10
MOST_STEPS = 50
REFUSALS = [ApprovalStatus.REJECTED, ApprovalStatus.EXPIRED]
# What a try comes to.
OK, AGAIN_HELPS, BROKEN, DOUBT = "ok", "again helps", "broken", "doubt"


@dataclass(frozen=True)
class Fate:
    """What becomes of one step whenever it is reached, however often processes die meanwhile."""

    end: str
    tries: tuple[str, ...]
    # What is said of each doubt in which a try has ended; the last word may be a refusal.
    answers: tuple[DoubtChoice | ApprovalStatus, ...]
    gate: ApprovalStatus
    has_effect: bool

    @classmethod
    def of(cls, each: PlanStep, random: Random, bad: float) -> "Fate":
        """Draw a fate."""
        gate = random.choice(REFUSALS) if each.action != "low" and random.random() < bad else ApprovalStatus.APPROVED
        has_effect = random.random() < 0.3
        tries: list[str] = []
        answers: list[DoubtChoice | ApprovalStatus] = []
        end = "refused" if gate is not ApprovalStatus.APPROVED else ""
        while not end:
            weights = [1.0, 2 * bad, bad / 2, 3 * bad if has_effect and len(answers) < 3 else 0.0]
            tries.append(random.choices([OK, AGAIN_HELPS, BROKEN, DOUBT], weights)[0])
            if tries[-1] == DOUBT:
                answers.append(random.choices([*DoubtChoice, *REFUSALS], [4, 2, 1, 1])[0])
            end = cls._end_of(tries, answers, each.retry.attempts)
        return cls(end, tuple(tries), tuple(answers), gate, has_effect)

    @staticmethod
    def _end_of(tries: list[str], answers: list[DoubtChoice | ApprovalStatus], attempts: int) -> str:
        if tries[-1] == BROKEN or (tries[-1] == AGAIN_HELPS and tries.count(AGAIN_HELPS) >= attempts):
            return "failed"
        if tries[-1] == DOUBT:
            return {DoubtChoice.AGAIN: "", DoubtChoice.DONE: "done"}.get(answers[-1], "refused")
        return "done" if tries[-1] == OK else ""


class Model:
    """What must come out of a plan, by its policies and fates alone: no order, no ledger, no process."""

    def __init__(self, steps: list[PlanStep], fates: dict[str, Fate]) -> None:
        self.done: set[str] = set()
        self.skipped: set[str] = set()
        self.failed: set[str] = set()
        stops: set[RunStatus] = set()
        passed: set[str] = set()
        lost: set[str] = set()
        for each in steps:
            if each.depends_on & lost:
                self.skipped.add(each.id)
                lost.add(each.id)
            elif each.depends_on <= passed:
                end = fates[each.id].end
                if end == "done":
                    self.done.add(each.id)
                    passed.add(each.id)
                elif end == "failed":
                    self.failed.add(each.id)
                    stops |= {RunStatus.FAILED} if each.on_failure is OnFailure.FAIL else set()
                    passed |= {each.id} if each.on_failure is OnFailure.CONTINUE else set()
                    lost |= {each.id} if each.on_failure is OnFailure.SKIP else set()
                elif each.on_reject is OnReject.STOP:
                    stops.add(RunStatus.CANCELLED)
                else:
                    self.skipped.add(each.id)
                    lost.add(each.id)
        self.stops = bool(stops)
        self.ends = stops or {self._end_without_stop(steps)}

    def _end_without_stop(self, steps: list[PlanStep]) -> RunStatus:
        needed = {name for each in steps for name in each.depends_on}
        if self.done - needed:
            return RunStatus.COMPLETED
        return RunStatus.FAILED if self.failed else RunStatus.CANCELLED


@dataclass
class World:
    """A run in a world of processes that die, people who decide when they like, and operators who hold it."""

    steps: list[PlanStep]
    fates: dict[str, Fate]
    parallelism: int
    random: Random
    figures: Counter[str]
    busy: set[str] = field(default_factory=set)
    finished: set[str] = field(default_factory=set)
    failed: dict[str, FailedStep] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    in_doubt: set[str] = field(default_factory=set)
    approvals: dict[str, Approval] = field(default_factory=dict)
    # How many tries of its fate each step has behind it, and how many of its doubts are answered.
    tried: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    # Steps whose present doubt came of a death and is not in their fate.
    died: set[str] = field(default_factory=set)
    held: bool = False
    mishaps: int = 6

    @classmethod
    def of(cls, seed: int, figures: Counter[str]) -> tuple["World", Model]:
        """Make a world and its model from a seed."""
        random = Random(seed)  # noqa: S311 - a world, not a secret
        names = [f"s{number}" for number in range(random.randint(1, MOST_STEPS))]
        bad = random.choice([0.0, 0.03, 0.1, 0.3])
        lenient = random.random() < 0.6
        steps = [_drawn(name, names[:at], random, lenient=lenient) for at, name in enumerate(names)]
        fates = {each.id: Fate.of(each, random, bad) for each in steps}
        listed = random.sample(steps, len(steps))
        return cls(listed, fates, random.randint(1, 16), random, figures), Model(steps, fates)

    def live(self) -> RunStatus:
        """Let the run live to its end, checking every move."""
        run = run_of(*self.steps, parallelism=self.parallelism)
        for _ in range(100 * len(self.steps) + 200):
            self._disturb()
            now = run.model_copy(update={"held_by": "ops@demo.example" if self.held else None})
            move = next_move(now, self._ledger(), ACTIONS, busy=set(self.busy))
            self.figures["moves"] += 1
            if move.end:
                assert not self.busy
                assert move == Move(end=move.end, reason=move.reason)
                return move.end
            self._check_and_follow(move)
            if move.hold:
                self.held = False
            elif move.wait_for:
                self._decide(self.random.choice([waiting.step_id for waiting in move.wait_for]))
            elif self.busy and not move.open_gates:
                self._go_on(self.random.choice(sorted(self.busy)))
            else:
                assert move.start or move.open_gates or move.skip
        raise AssertionError("the run does not end")

    def _ledger(self) -> Ledger:
        return Ledger(
            finished=dict.fromkeys(self.finished, DONE),
            failed=dict(self.failed),
            skipped=dict(self.skipped),
            in_doubt=frozenset(self.in_doubt),
            approvals=dict(self.approvals),
        )

    def _disturb(self) -> None:
        """Decide, hold or die at any moment."""
        pending = sorted(name for name, each in self.approvals.items() if each.status is ApprovalStatus.PENDING)
        if pending and self.random.random() < 0.2:
            self._decide(self.random.choice(pending))
        if self.mishaps and self.random.random() < 0.03:
            self.mishaps -= 1
            if self.random.random() < 0.5:
                self.held = True
                self.figures["holds"] += 1
            else:
                self._die()

    def _check_and_follow(self, move: Move) -> None:
        if self.held or self._must_stop():
            assert move.start + move.open_gates == ()
        if move.wait_for or move.hold:
            assert not self.busy
        if move.wait_for:
            assert all(waiting.status is ApprovalStatus.PENDING for waiting in move.wait_for)
        for each in move.open_gates:
            self._open(each)
        for each in move.start:
            self._start(each)
        assert len(self.busy) <= self.parallelism
        for name, reason in move.skip.items():
            assert name not in self.busy | self.finished | self.skipped.keys()
            assert reason
            self.skipped[name] = reason
            self.in_doubt.discard(name)

    def _must_stop(self) -> bool:
        return any(
            (each.on_failure is OnFailure.FAIL and self._failed_for_good(each))
            or (each.on_reject is OnReject.STOP and self._refused(each.id))
            for each in self.steps
            if each.id not in self.busy
        )

    def _failed_for_good(self, each: PlanStep) -> bool:
        failure = self.failed.get(each.id)
        retryable = failure is not None and failure.kind is FailureKind.RATE_LIMITED
        done = each.id in self.finished
        return not done and failure is not None and (not retryable or failure.tries >= each.retry.attempts)

    def _refused(self, name: str) -> bool:
        return name in self.approvals and self.approvals[name].status in REFUSALS

    def _check_reached(self, each: PlanStep) -> None:
        assert each.id not in self.busy | self.finished | self.skipped.keys()
        assert not self._failed_for_good(each)
        for other in self.steps:
            if other.id in each.depends_on - self.finished:
                assert other.on_failure is OnFailure.CONTINUE
                assert self._failed_for_good(other)

    def _open(self, each: PlanStep) -> None:
        self._check_reached(each)
        kind = ApprovalKind.IN_DOUBT if each.id in self.in_doubt else ApprovalKind.ACTION
        before = self.approvals.get(each.id)
        assert before is None or before.status is ApprovalStatus.CANCELLED or kind is ApprovalKind.IN_DOUBT
        assert before is None or before.status is not ApprovalStatus.PENDING
        self.approvals[each.id] = approval(each.id, ApprovalStatus.PENDING, kind=kind)

    def _start(self, each: PlanStep) -> None:
        self._check_reached(each)
        self.figures["steps_started"] += 1
        given = self.approvals.get(each.id)
        if each.action != "low" or each.id in self.in_doubt:
            assert given is not None
            assert given.status is ApprovalStatus.APPROVED
        if each.id in self.in_doubt:
            assert given is not None
            assert given.kind is ApprovalKind.IN_DOUBT
            assert given.consumed_at is None
        if given and self.random.random() < 0.03:
            # What was approved is not what would run: the approval is void.
            self.approvals[each.id] = given.model_copy(update={"status": ApprovalStatus.CANCELLED})
            return
        if given:
            self.approvals[each.id] = given.model_copy(update={"consumed_at": NOW})
        self.busy.add(each.id)
        if each.id in self.in_doubt and given and given.choice == DoubtChoice.DONE:
            self._finish(each.id)
        self.in_doubt.discard(each.id)

    def _decide(self, name: str) -> None:
        self.figures["decisions"] += 1
        waiting, fate = self.approvals[name], self.fates[name]
        if waiting.kind is ApprovalKind.ACTION:
            answer: DoubtChoice | ApprovalStatus = fate.gate
        elif name in self.died:
            # A death changes no fate: that it happened is said only of what would have happened.
            answer = self.random.choice([*DoubtChoice]) if fate.end == "done" else DoubtChoice.AGAIN
        else:
            answer = fate.answers[self.answered[name]]
        status = answer if isinstance(answer, ApprovalStatus) else ApprovalStatus.APPROVED
        choice = answer if isinstance(answer, DoubtChoice) else None
        self.approvals[name] = waiting.model_copy(update={"status": status, "choice": choice})

    def _go_on(self, name: str) -> None:
        """Take a busy step a little further: what it comes to is in the ledger before it is no longer busy."""
        fate, each = self.fates[name], next(each for each in self.steps if each.id == name)
        if name in self.finished or name in self.in_doubt or self._failed_for_good(each):
            self.busy.remove(name)
            if name in self.finished and self.random.random() < 0.05:
                # Something went wrong after the outcome was written.
                self.failed[name] = FailedStep(kind=FailureKind.SERVICE_ERROR, summary="no picture", tries=1)
            return
        outcome = fate.tries[self.tried[name]]
        self._count_answer(name)
        self.tried[name] += 1
        if outcome == OK:
            self._finish(name)
        elif outcome == DOUBT:
            self.in_doubt.add(name)
        else:
            kind = FailureKind.RATE_LIMITED if outcome == AGAIN_HELPS else FailureKind.SERVICE_ERROR
            tries = self.failed[name].tries + 1 if name in self.failed else 1
            self.failed[name] = FailedStep(kind=kind, summary="disk full", tries=tries)
            if not self._failed_for_good(each) and self.random.random() < 0.5:
                self.busy.remove(name)

    def _count_answer(self, name: str) -> None:
        self.died.discard(name)
        self.answered[name] = self.fates[name].tries[: self.tried[name]].count(DOUBT)

    def _finish(self, name: str) -> None:
        assert name not in self.finished
        self.finished.add(name)

    def _die(self) -> None:
        """Lose the process: what it had under way is not done, or nobody knows whether it is."""
        self.figures["deaths"] += 1
        ended = {each.id for each in self.steps if self._failed_for_good(each)}
        for name in sorted(self.busy - self.finished - self.in_doubt - ended):
            if self.fates[name].has_effect and self.random.random() < 0.7:
                self.in_doubt.add(name)
                self.died.add(name)
        self.busy.clear()


def _drawn(name: str, before: list[str], random: Random, *, lenient: bool) -> PlanStep:
    return step(
        name,
        random.choice(["low", "low", "low", "medium", "high", "critical"]),
        tuple(random.sample(before, min(len(before), random.choice([0, 1, 1, 2, 3])))),
        retry={"attempts": random.randint(1, 4)},
        on_failure=random.choice([OnFailure.SKIP, OnFailure.CONTINUE] if lenient else [*OnFailure]),
        on_reject=OnReject.SKIP if lenient else random.choice([*OnReject]),
    )


@pytest.fixture(scope="module")
def figures() -> Iterator[Counter[str]]:
    """Count what is gone through."""
    counted: Counter[str] = Counter()
    yield counted
    record("frontier", **counted)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_run_ends_as_the_model_says_whatever_happens_meanwhile(chunk: int, figures: Counter[str]) -> None:
    seen: set[RunStatus] = set()
    for seed in range(chunk, GRAPHS, CHUNKS):
        world, model = World.of(seed, figures)
        figures["graphs"] += 1
        try:
            end = world.live()

            assert end in model.ends
            assert world.finished <= model.done
            assert world.skipped.keys() <= model.skipped
            if not model.stops:
                assert world.finished == model.done
                assert world.skipped.keys() == model.skipped
        except AssertionError as error:
            error.add_note(f"seed {seed}")
            raise
        seen.add(end)
    assert seen == {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED}
