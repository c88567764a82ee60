"""The housekeeping flow `make_audit_partitions`: once a day the audit log has room for the months to come."""

from prefect import flow, get_run_logger

from tasks.audit_partitions import make_partitions
from tasks.logs import guard
from tasks.secrecy import discreet


@flow(name="make-audit-partitions", flow_run_name="make", persist_result=False)
def make_audit_partitions() -> list[str]:
    """Make the partitions that lack for the next months; silent when there are all."""
    guard()
    with discreet():
        done = make_partitions()
    for said in done:
        get_run_logger().info(said)
    return done
