"""What became of the messages of runs that have ended: settled, or left to the next run; then marked as read."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from uuid import UUID

from prefect import get_run_logger
from sqlmodel import Session

from maos.errors import BadInput, EngineFailure
from maos.mail_desk import RoutedMail
from maos.mail_outcomes import Fate, RunTrail, fate_of
from maos.mail_request import ProcessEmailRequest
from maos.settings import load_settings
from sql import approvals, invocations, mail_messages, runs
from sql.mail_tables import MailMessage
from sql.session import org_session
from tasks.apart import run_apart
from tasks.ledger import find_run
from tasks.mail_sources import MailSource
from tasks.mailboxes import source_of
from tasks.outages import outlasting

_MARKING_SECONDS = 120.0


@contextmanager
def closing_mail(run_id: UUID, request: ProcessEmailRequest) -> Iterator[None]:
    """Settle a run's messages once it has ended; should its process die before, the next run does."""
    try:
        yield
    finally:
        run = find_run(run_id)
        if run is not None and run.status.ended:
            with suppress(BadInput):
                settle_mail(run.org_id, source=source_of(request.source, org=run.org, settings=load_settings()))


def settle_mail(org_id: UUID, *, source: MailSource) -> None:
    """Say what became of the messages that ended runs have taken from a mailbox, and mark them there as read."""
    _settle(org_id, source.place)
    with org_session(org_id) as session:
        rows = mail_messages.unflagged(source.place, session=session)
    if not rows:
        return
    try:
        run_apart(lambda: source.mark_read([row.key for row in rows]), timeout_seconds=_MARKING_SECONDS)
    except EngineFailure as failure:
        # They are settled all the same; the next run marks them.
        get_run_logger().warning("messages are not marked as read yet: %s", failure.detail)
        return
    with org_session(org_id) as session:
        mail_messages.mark_flagged([row.id for row in rows], session=session)


@outlasting
def _settle(org_id: UUID, mailbox: str) -> None:
    with org_session(org_id) as session:
        ended = mail_messages.runs_to_settle(mailbox, session=session)
    for run_id in ended:
        with org_session(org_id) as session:
            # Locked: whoever takes the run up again does so before its messages are given away, or after.
            if mail_messages.lock_ended(run_id, session=session):
                _settle_run(run_id, mail_messages.claimed_by(run_id, session=session), session=session)


def _settle_run(run_id: UUID, rows: Sequence[MailMessage], *, session: Session) -> None:
    trail = _trail_of(run_id, [row.number for row in rows], session=session)
    for row in rows:
        fate = Fate(outcome=row.outcome, reason=row.reason or "") if row.outcome else None
        fate = fate or fate_of(row.number, trail, claims=row.claims)
        if fate.outcome is None:
            mail_messages.set_free(row.id, fate.reason, tried=fate.tried, session=session)
        else:
            mail_messages.settle(row.id, fate.outcome, fate.reason, session=session)


def _trail_of(run_id: UUID, numbers: Sequence[int], *, session: Session) -> RunTrail:
    run = runs.run_row(run_id, session=session)
    states = invocations.step_states(run_id, run.attempt, session=session)
    routes = {f"route_m{number:02}": number for number in numbers}
    outputs = invocations.outputs_of(run_id, list(routes), session=session)
    return RunTrail(
        finished=frozenset(states.finished),
        in_doubt=frozenset(states.in_doubt),
        failed=states.failed,
        approvals=approvals.newest_approvals(run_id, session=session),
        routed={routes[step]: RoutedMail.model_validate(output) for step, output in outputs.items()},
    )
