"""The housekeeping flow `propose_exemptions`: once a day owners are asked for what people always approve."""

from prefect import flow, get_run_logger

from tasks.logs import guard
from tasks.proposals import propose_for_all
from tasks.secrecy import discreet


@flow(name="propose-exemptions", flow_run_name="propose", persist_result=False)
def propose_exemptions() -> list[str]:
    """Propose exemptions in every organisation that has learning switched on; silent when there is nothing to ask."""
    guard()
    with discreet():
        proposed = propose_for_all()
    for said in proposed:
        get_run_logger().info(said)
    return proposed
