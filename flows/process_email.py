"""The entrypoint `process_email`: new messages of a mailbox, sorted, and answered after approval."""

from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from flows.execution import conduct
from flows.options import ENTRYPOINT_OPTIONS
from maos.mail_request import ProcessEmailRequest
from maos.runs import RunResult
from tasks.mail_closing import closing_mail


@flow(name="process-email", **ENTRYPOINT_OPTIONS)
def process_email(request: ProcessEmailRequest) -> RunResult | State[Any]:
    """Take new messages, decide what is done about each, and do it once a person approves."""
    with closing_mail(UUID(flow_run.get_id()), request):
        return conduct("process_email", request)
