"""What becomes of a message, by what its run's ledger says."""

import pytest

from maos.mail_desk import MailDecision, RoutedMail
from maos.mail_outcomes import MOST_CLAIMS, Fate, MailOutcome, RunTrail, fate_of
from maos.statuses import ApprovalStatus
from tests.runs import approval, failure


def routed(decision: MailDecision) -> dict[int, RoutedMail]:
    return {1: RoutedMail(number=1, category="other", decision=decision, reason="because")}


def fate(finished: frozenset[str] = frozenset(), **trail: object) -> Fate:
    return fate_of(1, RunTrail.model_validate(trail | {"finished": finished | {"take_mail"}}), claims=1)


@pytest.mark.parametrize(
    ("decision", "outcome"),
    [
        (MailDecision.REPLY, MailOutcome.REPLIED),
        (MailDecision.FORWARD, MailOutcome.FORWARDED),
        (MailDecision.TASK, MailOutcome.NOTED),
    ],
)
def test_what_was_done_is_what_became_of_it(decision: MailDecision, outcome: MailOutcome) -> None:
    assert fate(routed=routed(decision), finished=frozenset({f"{decision}_m01"})).outcome is outcome


def test_what_nothing_is_done_about_is_ignored_with_the_reason() -> None:
    assert fate(routed=routed(MailDecision.IGNORE)) == Fate(outcome=MailOutcome.IGNORED, reason="because")


def test_a_reply_that_may_have_left_is_never_left_to_another_run() -> None:
    assert fate(routed=routed(MailDecision.REPLY), in_doubt={"reply_m01"}).outcome is MailOutcome.IN_DOUBT


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(ApprovalStatus.REJECTED, MailOutcome.REJECTED), (ApprovalStatus.EXPIRED, MailOutcome.UNDECIDED)],
)
def test_what_people_refused_is_not_asked_again(status: ApprovalStatus, outcome: MailOutcome) -> None:
    asked = {"reply_m01": approval("reply_m01", status)}

    assert fate(routed=routed(MailDecision.REPLY), approvals=asked).outcome is outcome


@pytest.mark.parametrize("decided", [{}, routed(MailDecision.REPLY)])
def test_what_was_not_done_is_left_to_the_next_run(decided: dict[int, RoutedMail]) -> None:
    asked = {"reply_m01": approval("reply_m01", ApprovalStatus.CANCELLED)}

    assert fate(routed=decided, approvals=asked).outcome is None


def test_a_message_that_no_run_can_handle_is_given_up_with_its_failure() -> None:
    trail = RunTrail(finished=frozenset({"take_mail"}), failed={"answer_m01": failure(), "answer_m02": failure()})

    assert fate_of(1, trail, claims=MOST_CLAIMS) == Fate(
        outcome=MailOutcome.GIVEN_UP, reason=f"{MOST_CLAIMS} runs could not handle it: disk full"
    )


def test_a_mailbox_that_could_not_be_read_says_nothing_against_its_messages() -> None:
    assert fate_of(1, RunTrail(), claims=MOST_CLAIMS) == Fate(
        outcome=None, reason="its run ended before it was read", tried=False
    )


def test_of_another_message_nothing_is_known() -> None:
    assert (
        fate_of(2, RunTrail(finished=frozenset({"take_mail"}), routed=routed(MailDecision.IGNORE)), claims=1).outcome
        is None
    )
