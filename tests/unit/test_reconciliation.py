"""What is done where a run's row and Prefect do not agree: the whole table."""

from itertools import product

import pytest

from maos.reconciliation import GRACE_SECONDS, START_SECONDS, FlowState, Mending, Sighting, mending_of
from maos.runs import GateKind

CANCEL, FAIL, WAKE = Mending.CLOSE_AS_CANCELLED, Mending.CLOSE_AS_FAILED, Mending.WAKE
RECOVER, TELL = Mending.RECOVER, Mending.TELL_PREFECT

# Long enough in the state: without a lease, leased; then the same of a run whose row has its end.
TABLE: dict[FlowState, tuple[Mending | None, Mending | None, Mending | None, Mending | None]] = {
    FlowState.SCHEDULED: (None, None, None, None),
    FlowState.PENDING: (RECOVER, None, None, None),
    FlowState.RUNNING: (RECOVER, None, TELL, None),
    FlowState.CANCELLING: (CANCEL, None, TELL, None),
    FlowState.PAUSED: (WAKE, WAKE, TELL, None),
    FlowState.COMPLETED: (FAIL, FAIL, None, None),
    FlowState.FAILED: (RECOVER, RECOVER, None, None),
    FlowState.CRASHED: (RECOVER, RECOVER, None, None),
    FlowState.CANCELLED: (CANCEL, CANCEL, None, None),
    FlowState.UNKNOWN: (FAIL, FAIL, None, None),
}
CELLS = [
    (state, ended, leased, TABLE[state][2 * ended + leased])
    for state, ended, leased in product(FlowState, (False, True), (False, True))
]


@pytest.mark.parametrize(("state", "ended", "leased", "mending"), CELLS)
def test_each_sighting_has_its_mending(state: FlowState, ended: bool, leased: bool, mending: Mending | None) -> None:
    sighting = Sighting(state=state, seconds_in_state=60, ended=ended, leased=leased)

    assert mending_of(sighting, grace_seconds=GRACE_SECONDS) is mending


@pytest.mark.parametrize(("state", "ended", "leased", "_mending"), CELLS)
def test_what_has_only_just_happened_is_left_alone(
    state: FlowState, ended: bool, leased: bool, _mending: Mending | None
) -> None:
    sighting = Sighting(state=state, seconds_in_state=GRACE_SECONDS - 0.1, ended=ended, leased=leased)

    assert mending_of(sighting, grace_seconds=GRACE_SECONDS) is None


@pytest.mark.parametrize(
    ("state", "seconds", "mending"),
    [
        (FlowState.RUNNING, GRACE_SECONDS, RECOVER),
        (FlowState.PENDING, GRACE_SECONDS, None),
        (FlowState.PENDING, START_SECONDS - 0.1, None),
        (FlowState.PENDING, START_SECONDS, RECOVER),
    ],
)
def test_a_process_that_starts_has_longer_than_one_that_ends(
    state: FlowState, seconds: float, mending: Mending | None
) -> None:
    sighting = Sighting(state=state, seconds_in_state=seconds)

    assert mending_of(sighting, grace_seconds=GRACE_SECONDS) is mending


def test_without_grace_a_process_that_starts_still_has_its_time() -> None:
    assert mending_of(Sighting(state=FlowState.PENDING, seconds_in_state=1), grace_seconds=0) is None


@pytest.mark.parametrize(
    ("gate", "held", "open_approvals", "mending"),
    [
        (GateKind.APPROVALS, False, 0, WAKE),
        (GateKind.APPROVALS, False, 1, None),
        (GateKind.APPROVALS, True, 0, WAKE),
        (GateKind.APPROVALS, True, 2, None),
        (GateKind.HOLD, True, 0, None),
        (GateKind.HOLD, True, 1, None),
        (GateKind.HOLD, False, 0, WAKE),
        # What the form shows is answered: that approvals are open is for the run to find out.
        (GateKind.HOLD, False, 1, WAKE),
    ],
)
def test_a_paused_run_sleeps_only_while_what_its_form_shows_is_to_be_answered(
    gate: GateKind, held: bool, open_approvals: int, mending: Mending | None
) -> None:
    sighting = Sighting(
        state=FlowState.PAUSED, seconds_in_state=60, gate_kind=gate, held=held, open_approvals=open_approvals
    )

    assert mending_of(sighting, grace_seconds=GRACE_SECONDS) is mending


@pytest.mark.parametrize("state", [state for state in FlowState if state is not FlowState.PAUSED])
@pytest.mark.parametrize("held", [False, True])
def test_a_hold_changes_nothing_for_a_run_that_is_not_paused(state: FlowState, held: bool) -> None:
    sighting = Sighting(state=state, seconds_in_state=60, gate_kind=GateKind.HOLD, held=held, open_approvals=1)

    assert mending_of(sighting, grace_seconds=GRACE_SECONDS) is TABLE[state][0]
