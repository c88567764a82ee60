"""Writing down what somebody is to be told of an approval, in the transaction in which it happens."""

from collections.abc import Sequence

from sqlmodel import Session

from maos.approvals import Approval
from maos.notices import NoticeKind, addressed, recipients_of
from sql.notice_routes import people_of, routes_of
from sql.notices import add_notices, notice_row
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
