"""What votes come to: stages, groups, quorums, vetoes, escalations."""

from dataclasses import dataclass, field

import pytest

from maos.approval_policy import ApprovalPolicy, DecidingRole, Group, Stage
from maos.statuses import ApprovalStatus
from maos.votes import Vote, progress_in_numbers, progress_in_words, seat_of, verdict_of

OWNERS = Group(roles=frozenset({DecidingRole.OWNER}))
REVIEWERS = Group(roles=frozenset({DecidingRole.REVIEWER}))
ANN_OR_BEN = Group(users=frozenset({"ann@x.example", "ben@x.example"}))
MANAGERS = Stage(name="manager", groups=(ANN_OR_BEN,))
FINANCE = Stage(name="finance", groups=(OWNERS,))


@dataclass
class _Voted:
    policy: ApprovalPolicy
    revision: int = 1
    stage: int = 0
    escalated: bool = False
    votes: list[Vote] = field(default_factory=list)

    def vote(self, email: str, role: str = "reviewer", *, approves: bool = True) -> ApprovalStatus | int | None:
        """Vote, as `decide` does; return the verdict, or None where the person has no say."""
        seat = seat_of(self, email, {role}, self.votes)
        if seat is None:
            return None
        self.votes.append(Vote(email=email, approves=approves, revision=self.revision, stage=self.stage, seat=seat))
        verdict = verdict_of(self, self.votes)
        if isinstance(verdict, int):
            self.stage = verdict
        return verdict


def _of(*stages: Stage, **fields: object) -> _Voted:
    return _Voted(ApprovalPolicy.model_validate({"stages": stages, **fields}))


def test_one_approval_decides_where_one_is_needed() -> None:
    assert _of(Stage()).vote("ann@x.example") is ApprovalStatus.APPROVED


def test_a_quorum_takes_as_many_as_it_says() -> None:
    voted = _of(Stage(groups=(Group(needed=3),)))

    assert [voted.vote(f"{name}@x.example") for name in "abc"] == [0, 0, ApprovalStatus.APPROVED]


def test_every_group_of_a_stage_has_to_approve() -> None:
    voted = _of(Stage(groups=(OWNERS, REVIEWERS)))

    assert voted.vote("ann@x.example") == 0
    assert voted.vote("ben@x.example") == 0
    assert voted.vote("boss@x.example", "owner") is ApprovalStatus.APPROVED


def test_one_vote_counts_for_one_group() -> None:
    voted = _of(Stage(groups=(ANN_OR_BEN, Group(users=frozenset({"ann@x.example", "cid@x.example"})))))

    assert voted.vote("ann@x.example") == 0
    assert voted.vote("ben@x.example") == 0
    assert voted.vote("cid@x.example") is ApprovalStatus.APPROVED


def test_stages_come_in_their_order() -> None:
    voted = _of(MANAGERS, FINANCE)

    assert voted.vote("boss@x.example", "owner") is None
    assert voted.vote("ann@x.example") == 1
    assert voted.vote("ben@x.example") is None
    assert voted.vote("boss@x.example", "owner") is ApprovalStatus.APPROVED


def test_one_rejection_is_a_veto() -> None:
    voted = _of(Stage(groups=(Group(needed=2),)))

    assert voted.vote("ann@x.example") == 0
    assert voted.vote("ben@x.example", approves=False) is ApprovalStatus.REJECTED


def test_a_policy_may_ask_for_more_rejections() -> None:
    voted = _of(Stage(groups=(Group(needed=2),)), rejections_needed=2)

    assert voted.vote("ann@x.example", approves=False) == 0
    assert voted.vote("ben@x.example") == 0
    assert voted.vote("cid@x.example", approves=False) is ApprovalStatus.REJECTED


def test_votes_on_another_payload_do_not_count() -> None:
    voted = _of(Stage(groups=(Group(needed=2),)))
    voted.vote("ann@x.example")
    voted.revision = 2

    assert voted.vote("ben@x.example") == 0
    assert voted.vote("ann@x.example") is ApprovalStatus.APPROVED


def test_an_editor_of_a_later_stage_is_counted_when_it_comes() -> None:
    voted = _of(MANAGERS, FINANCE)
    voted.vote("ann@x.example")
    voted.revision, voted.stage = 2, 0
    voted.votes.append(Vote(email="boss@x.example", approves=True, revision=2, stage=1))

    assert verdict_of(voted, voted.votes) == 0
    assert voted.vote("ben@x.example") is ApprovalStatus.APPROVED


@pytest.mark.parametrize(
    "stages", [(Stage(groups=(ANN_OR_BEN,)),), (Stage(groups=(ANN_OR_BEN,)), Stage(groups=(OWNERS,)))]
)
def test_an_escalated_stage_may_be_decided_by_those_after_it(stages: tuple[Stage, ...]) -> None:
    voted = _of(*stages)
    assert voted.vote("boss@x.example", "owner") is None
    voted.escalated = True

    assert voted.vote("boss@x.example", "owner") in {1, ApprovalStatus.APPROVED}


def test_a_reader_is_told_how_far_it_is() -> None:
    voted = _of(Stage(name="managers", groups=(Group(needed=2),)), Stage(name="finance", groups=(OWNERS,)))
    voted.vote("ann@x.example")

    words = "stage 1 of 2, managers: approved by ann@x.example; takes 1 more of owner or reviewer"
    assert progress_in_words(voted, voted.votes) == words
    assert progress_in_words(_of(Stage()), []) == ""


def test_progress_counts_the_approvals_of_every_stage_and_those_of_the_present_payload_alone() -> None:
    voted = _of(MANAGERS, Stage(groups=(Group(needed=2),)))
    assert progress_in_numbers(voted, voted.votes) == "0 of 3"

    voted.vote("ann@x.example")
    voted.vote("cem@x.example")
    assert progress_in_numbers(voted, voted.votes) == "2 of 3"

    voted.revision, voted.stage = 2, 0
    assert progress_in_numbers(voted, voted.votes) == "0 of 3"
