"""The housekeeping flow `close_billing_month`: once a month what was used becomes statements that stay as they are."""

from datetime import UTC, datetime

from prefect import flow, get_run_logger

from maos.errors import RunFailed
from tasks.billing import close_ended_months
from tasks.logs import guard
from tasks.secrecy import discreet


@flow(name="close-billing-month", flow_run_name="close", persist_result=False)
def close_billing_month() -> list[str]:
    """Close every month that has ended and is open, of every organisation; silent when there is none.

    Raises:
        RunFailed: when a month could not be closed; all others are closed nevertheless.
    """
    guard()
    with discreet():
        done = close_ended_months(datetime.now(UTC))
        for statement in done.closed:
            get_run_logger().info("%s: %s is closed", statement.reference, statement.month)
        if done.refused:
            raise RunFailed("; ".join(map(str, done.refused)))
    return [str(statement.reference) for statement in done.closed]
