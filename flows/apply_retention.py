"""The housekeeping flow `apply_retention`: once a day months of the audit log that nobody keeps are archived."""

from prefect import flow, get_run_logger

from tasks.logs import guard
from tasks.retention import apply_retention as remove
from tasks.secrecy import discreet


@flow(name="apply-retention", flow_run_name="apply", persist_result=False)
def apply_retention() -> list[str]:
    """Export and remove the months that every organisation in them lets go; says what is kept, and why."""
    guard()
    with discreet():
        done = remove()
    for said in done:
        get_run_logger().info(said)
    return done
