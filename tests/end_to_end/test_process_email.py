"""A mailbox through its deployment: taken, sorted, asked about, answered as a rehearsal, accounted for."""

from email import message_from_bytes
from email.policy import default

from tests.end_to_end.conftest import Maos

REVIEWER = "reviewer@demo.example"
REQUEST = "examples/process_email/request.json"


def _approvals(maos: Maos, run_id: str) -> dict[str, str]:
    asked = f"SELECT step_id, id::text FROM agent_pending_actions WHERE run_id = '{run_id}' AND status = 'pending'"
    return dict(maos.rows(asked))


def test_the_example_is_answered_after_approval_and_its_messages_are_taken_once(maos: Maos) -> None:
    run_id = maos.run("run", "process_email", "--request", REQUEST, "--wait").split()[0]
    asked = _approvals(maos, run_id)
    assert sorted(asked) == ["forward_m03", "reply_m01", "reply_m08", "reply_m09", "reply_m10"]
    shown = maos.run("approvals", "show", asked["reply_m08"])
    assert "mallory@stranger.example" in shown
    assert "outside of its sender's domain" in shown

    for step, approval in asked.items():
        verdict = ("reject", "--note", "no") if step == "reply_m08" else ("approve", "--note", "well done")
        maos.run("approvals", verdict[0], approval, "--as", REVIEWER, *verdict[1:])
    maos.shown(run_id, "status = 'completed'")

    outbox = maos.home / "artifacts" / "demo" / run_id / "outbox"
    sent = [message_from_bytes(file.read_bytes(), policy=default) for file in outbox.iterdir()]
    assert sorted(message["To"] for message in sent) == [
        "accounts@demo.example",
        "ann@customer.example",
        "ann@customer.example",
        "zoe@customer.example",
    ]
    threads = {message["References"] for message in sent if message["To"] == "ann@customer.example"}
    assert threads == {"<q1@customer.example>", "<o0@demo.example> <o1@demo.example> <q2@customer.example>"}
    outcomes = f"SELECT outcome, count(*) FROM mail_messages WHERE run_id = '{run_id}' GROUP BY outcome ORDER BY 1"
    assert maos.rows(outcomes) == [
        ("duplicate", 1),
        ("forwarded", 1),
        ("ignored", 3),
        ("noted", 1),
        ("rejected", 1),
        ("replied", 3),
    ]

    again = maos.run("run", "process_email", "--request", REQUEST, "--wait").split()[0]
    assert maos.json("runs", "show", again)["status"] == "completed"
    assert maos.rows(f"SELECT count(*) FROM mail_messages WHERE run_id = '{again}'") == [(0,)]
