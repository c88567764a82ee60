"""The housekeeping flow `expire_approvals`: every minute the queue of approvals is kept."""

from prefect import flow, get_run_logger

from tasks.logs import guard
from tasks.overdue import keep_queue
from tasks.secrecy import discreet


@flow(name="expire-approvals", flow_run_name="expire", persist_result=False)
def expire_approvals() -> list[str]:
    """End or escalate what nobody decided in time, remind, tell people, wake runs; silent when nothing is due."""
    guard()
    with discreet():
        done = keep_queue()
    for said in done:
        get_run_logger().info(said)
    return done
