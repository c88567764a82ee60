"""The housekeeping flow `anchor_audit_chains`: once a day the heads of the audit chains are noted elsewhere."""

from prefect import flow, get_run_logger

from tasks.audit_anchors import anchor_all
from tasks.logs import guard
from tasks.secrecy import discreet


@flow(name="anchor-audit-chains", flow_run_name="anchor", persist_result=False)
def anchor_audit_chains() -> list[str]:
    """Note the head of every chain that has grown in the artifact store; fails where a chain has lost a noted row."""
    guard()
    with discreet():
        anchored = anchor_all()
    for said in anchored:
        get_run_logger().info(said)
    return anchored
