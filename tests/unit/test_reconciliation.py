import pytest

from maos.reconciliation import GRACE_SECONDS, FlowState, Mending, Sighting, mending_of


def _mending(state: FlowState, *, seconds: float = 60, open_approvals: int = 0) -> Mending | None:
    sighting = Sighting(state=state, seconds_in_state=seconds, open_approvals=open_approvals)
    return mending_of(sighting, grace_seconds=GRACE_SECONDS)


@pytest.mark.parametrize(
    ("state", "mending"),
    [
        (FlowState.CANCELLED, Mending.CLOSE_AS_CANCELLED),
        (FlowState.FAILED, Mending.CLOSE_AS_FAILED),
        (FlowState.CRASHED, Mending.CLOSE_AS_FAILED),
        (FlowState.COMPLETED, Mending.CLOSE_AS_FAILED),
        (FlowState.UNKNOWN, Mending.CLOSE_AS_FAILED),
        (FlowState.UNDER_WAY, None),
        (FlowState.PAUSED, Mending.WAKE),
    ],
)
def test_a_run_without_an_end_follows_what_prefect_says(state: FlowState, mending: Mending | None) -> None:
    assert _mending(state) is mending


def test_a_run_that_waits_for_a_person_is_left_alone() -> None:
    assert _mending(FlowState.PAUSED, open_approvals=1) is None


@pytest.mark.parametrize("state", FlowState)
def test_what_has_only_just_happened_is_left_alone(state: FlowState) -> None:
    assert _mending(state, seconds=GRACE_SECONDS - 0.1) is None
