"""What the votes on an approval come to: stages in their order, groups with their numbers, and vetoes."""

from collections.abc import Sequence, Set
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from maos.approval_policy import ApprovalPolicy, Group
from maos.statuses import ApprovalStatus


class Vote(BaseModel):
    """One person's vote; an edit makes a new payload, which nobody but its editor has voted on."""

    model_config = ConfigDict(frozen=True)

    email: str
    approves: bool
    revision: int = 1
    stage: int = 0
    seat: int = Field(default=0, description="The group of the stage that it counts for.")


class Voted(Protocol):
    """What is voted on, as far as counting goes."""

    @property
    def policy(self) -> ApprovalPolicy: ...
    @property
    def revision(self) -> int: ...
    @property
    def stage(self) -> int: ...
    @property
    def escalated(self) -> bool: ...


def seat_of(voted: Voted, email: str, roles: Set[str], votes: Sequence[Vote]) -> int | None:
    """Return the group of the open stage that a person's vote counts for, or None when they have no say in it.

    One that still needs votes comes first. Of an escalated stage those have a say, too, whom it was escalated to.
    """
    groups = voted.policy.stages[voted.stage].groups
    own = [number for number, group in enumerate(groups) if group.includes(email, roles)]
    if not own and voted.escalated and any(group.includes(email, roles) for group in escalated_to(voted)):
        own = list(range(len(groups)))
    lacking = [number for number in own if missing(voted, votes, stage=voted.stage, seat=number) > 0]
    return next(iter(lacking or own), None)


def escalated_to(voted: Voted) -> tuple[Group, ...]:
    """Return who has a say in the open stage once it is escalated."""
    stages = voted.policy.stages
    return stages[voted.stage + 1].groups if voted.stage + 1 < len(stages) else (voted.policy.escalate_to,)


def missing(voted: Voted, votes: Sequence[Vote], *, stage: int, seat: int) -> int:
    """Return how many approvals a group of a stage still lacks."""
    given = [vote for vote in _counted(voted, votes) if vote.approves and (vote.stage, vote.seat) == (stage, seat)]
    return voted.policy.stages[stage].groups[seat].needed - len(given)


def verdict_of(voted: Voted, votes: Sequence[Vote]) -> ApprovalStatus | int:
    """Return how an approval is decided, or the stage that is open while it is not."""
    rejections = [vote for vote in _counted(voted, votes) if not vote.approves]
    if len(rejections) >= voted.policy.rejections_needed:
        return ApprovalStatus.REJECTED
    for stage in range(voted.stage, len(voted.policy.stages)):
        seats = range(len(voted.policy.stages[stage].groups))
        if any(missing(voted, votes, stage=stage, seat=seat) > 0 for seat in seats):
            return stage
    return ApprovalStatus.APPROVED


def _counted(voted: Voted, votes: Sequence[Vote]) -> list[Vote]:
    """Return the votes on the present payload."""
    return [vote for vote in votes if vote.revision == voted.revision]


def progress_in_words(voted: Voted, votes: Sequence[Vote]) -> str:
    """Return how far the votes have brought it, where it takes more than one."""
    stages = voted.policy.stages
    if voted.policy.approvals_needed == 1:
        return ""
    stage = stages[voted.stage]
    at = f"stage {voted.stage + 1} of {len(stages)}, {stage.name}: " if len(stages) > 1 else ""
    given = [vote.email for vote in _counted(voted, votes) if vote.approves]
    open_seats = (
        (missing(voted, votes, stage=voted.stage, seat=seat), group) for seat, group in enumerate(stage.groups)
    )
    lacking = " and ".join(f"{count} more of {group.who}" for count, group in open_seats if count > 0)
    return f"{at}approved by {', '.join(given) or 'nobody yet'}; takes {lacking or 'nobody more'}"


def progress_in_numbers(voted: Voted, votes: Sequence[Vote]) -> str:
    """Return how many of the approvals that it takes are given, such as 1 of 2."""
    stages = voted.policy.stages
    needed = sum(group.needed for stage in stages for group in stage.groups)
    lacking = sum(
        max(missing(voted, votes, stage=number, seat=seat), 0)
        for number in range(voted.stage, len(stages))
        for seat in range(len(stages[number].groups))
    )
    return f"{needed - lacking} of {needed}"
