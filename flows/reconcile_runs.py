"""The housekeeping flow `reconcile_runs`: twice a minute the ledger and Prefect are brought into agreement."""

from prefect import flow, get_run_logger

from tasks.logs import guard
from tasks.reconciliation import reconcile
from tasks.secrecy import discreet


@flow(name="reconcile-runs", flow_run_name="reconcile", persist_result=False)
def reconcile_runs() -> list[str]:
    """Close runs whose process died, wake runs whose decision woke nobody; silent when all agree."""
    guard()
    with discreet():
        mended = reconcile()
    for said in mended:
        get_run_logger().warning(said)
    return mended
