"""Writing down what somebody is to be told of an approval or a budget, in the transaction in which it happens."""

from collections.abc import Sequence

from sqlmodel import Session

from maos.approvals import Approval
from maos.notices import BUDGET_RISK, NoticeKind, addressed, recipients_of, told_of_budgets
from sql.budget_standings import Standing
from sql.notice_routes import people_of, routes_of
from sql.notices import add_notices, notice_row, threshold_row
from sql.votes import votes_on


def tell(kind: NoticeKind, approvals: Sequence[Approval], *, reminder: int = 0, session: Session) -> None:
    """Write down that the people concerned are to be told this of approvals of one organisation.

    Args:
        approvals: as they stand from here on.
        reminder: where it is one, the how manieth.
    """
    if not approvals:
        return
    org_id = approvals[0].org_id
    people, routes = people_of(org_id, session=session), routes_of(org_id, session=session)
    votes = votes_on([each.id for each in approvals], session=session)
    rows = [
        notice_row(kind, each, recipient, reminder=reminder)
        for each in approvals
        for recipient in recipients_of(addressed(kind, each, people, votes[each.id]), routes, each.risk)
    ]
    add_notices(rows, session=session)


def tell_of_thresholds(percents: Sequence[int], standing: Standing, *, session: Session) -> None:
    """Write down that the people concerned are to be told that a budget has reached these thresholds."""
    people = told_of_budgets(people_of(standing.org_id, session=session))
    recipients = recipients_of(people, routes_of(standing.org_id, session=session), BUDGET_RISK)
    add_notices(
        [threshold_row(percent, standing, recipient) for percent in percents for recipient in recipients],
        session=session,
    )
