"""Making the plan of a mailbox: it has to be one that the organisation may read."""

from maos.mail_plan import mail_plan
from maos.mail_request import ProcessEmailRequest
from maos.plans import Plan
from maos.settings import load_settings
from tasks.mailboxes import source_of


def plan_mail(request: ProcessEmailRequest) -> Plan:
    """Return the plan of a mailbox's new messages; what each of them needs is added when it is read.

    Raises:
        BadInput: when the mailbox is none that the organisation may read.
    """
    source_of(request.source, org=request.org, settings=load_settings())
    return mail_plan(request)
