"""What the evidence of a run gives away to whom; canaries in a whole stack are in the end-to-end tests."""

import json
from uuid import UUID

from maos.audit import AuditEvent
from maos.engines import EngineType
from maos.evidence import Evidence
from maos.plans import Plan, PlanStep
from sql.audit import append_audit
from sql.plan_revisions import Origin, add_revision
from sql.session import org_session
from sql.tables import InvocationVendorDetail
from tasks.evidence import Audience, evidence_of
from tests.rows import add_run, invocation

VENDORS = ("claude", "anthropic", "opus", "sonnet", "gemini", "google", "openai")


def _plan(text: str) -> Plan:
    step = PlanStep(id="act", agent="clerk", engine=EngineType.CLAUDE_CLI, action="act", parameters={"text": text})
    return Plan(steps=(step,))


def _run(org_id: UUID) -> UUID:
    """A run whose second plan is in words of its customer's that give a vendor and a host away."""
    first, second = _plan("Write."), _plan("Write as Claude does, see http://127.0.0.1:8080/.")
    run_id = add_run(org_id, plan_digest=second.digest, plan=second.model_dump(mode="json"))
    called = invocation(org_id, run_id, "0.5")
    with org_session(org_id) as session:
        add_revision(run_id, first, Origin("as requested"), revision=1, org_id=org_id, session=session)
        add_revision(run_id, second, Origin("again"), revision=2, org_id=org_id, session=session)
        session.add(called)
        session.flush()
        detail = InvocationVendorDetail(
            invocation_id=called.id, org_id=org_id, model="claude-opus-5-5", request_id="r1"
        )
        session.add(detail)
        for event, digest in (("run.opened", first.digest), ("plan.revised", second.digest)):
            opened = AuditEvent(event=event, actor="author@demo.example", run_id=run_id, digest=digest, summary=event)
            append_audit(opened, org_id=org_id, session=session)
    return run_id


def _step_texts(evidence: Evidence) -> list[str]:
    return [revision.plan["steps"][0]["parameters"]["text"] for revision in evidence.plan_revisions]


def test_customers_and_auditors_read_of_no_vendor_and_of_no_host(org_id: UUID) -> None:
    shown = evidence_of(_run(org_id), Audience.CLIENTS)

    text = shown.rendered().lower()
    assert [vendor for vendor in VENDORS if vendor in text] == []
    assert "127.0.0.1" not in text
    assert [revision.plan["steps"][0]["engine"] for revision in shown.plan_revisions] == ["writer", "writer"]
    assert _step_texts(shown)[0] == "Write."
    assert shown.withheld == ("/plan_revisions/1/plan/steps/0/parameters/text",)


def test_operators_read_all_of_it(org_id: UUID) -> None:
    shown = evidence_of(_run(org_id), Audience.INTERNAL)

    assert [detail["model"] for detail in shown.vendor_details] == ["claude-opus-5-5"]
    assert _step_texts(shown)[1] == "Write as Claude does, see http://127.0.0.1:8080/."
    assert shown.withheld == ()
    assert json.loads(shown.rendered())["audience"] == "internal"
