"""The whole way of a text: outlined, written, traced, revised, asked about, published; through the real executor."""

import json
import threading
from collections.abc import Iterator
from contextvars import copy_context
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from docx import Document
from prefect.client.schemas.objects import State

from blocks.claude import ClaudeEngine
from flows.generate_content import generate_content
from maos.approvals import Approval
from maos.content_request import GenerateContentRequest
from maos.plans import RetryPolicy
from maos.settings import load_settings
from tests.gates import REVIEWER, answer_form, only_run_id, pending, rows, wait_for, wait_for_form
from tests.messages_server import MessagesServer

KEY = "sk-test-canary-0123456789"
EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "generate_content" / "request.json"
OUTLINE = {
    "title": "A second roastery",
    "sections": [{"heading": "", "point": "It opens.", "facts": ["f1", "f2"]}],
    "angles": ["The opening", "The people"],
}
VISITORS = "Visitors are welcome on the first Saturday of each month."
OPENING = "Nordwind Coffee opens a second roastery in Bremen on 12 January 2027."
WRONG = "It has 84 employees."
RIGHT = "It has 48 employees."


def written(*paragraphs: str, **changes: object) -> dict[str, Any]:
    section = {"heading": "", "paragraphs": [{"text": each, "facts": []} for each in (*paragraphs, VISITORS)]}
    return {"title": "A second roastery", "sections": [section], "names": ["Nordwind Coffee", "Bremen"]} | changes


def request(**fields: object) -> GenerateContentRequest:
    return GenerateContentRequest.model_validate(json.loads(EXAMPLE.read_text()) | fields)


class Beside:
    """A run in a thread, so that its gates can be answered meanwhile."""

    def __init__(self, asked: GenerateContentRequest) -> None:
        self.state: State[Any] | None = None
        self._thread = threading.Thread(target=copy_context().run, args=(self._run, asked), daemon=True)
        self._thread.start()

    def _run(self, asked: GenerateContentRequest) -> None:
        self.state = generate_content(asked, return_state=True)

    def end(self) -> State[Any]:
        self._thread.join(180)
        assert self.state is not None, "the run did not end"
        return self.state


@pytest.fixture
def unwritten(prefect_api: str, org_id: UUID) -> None:  # noqa: ARG001
    """No key anywhere."""
    ClaudeEngine().save("default", overwrite=True)


@pytest.fixture
def server(prefect_api: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch) -> Iterator[MessagesServer]:  # noqa: ARG001
    """The vendor's place, with a key in the settings."""
    with MessagesServer(key=KEY) as running:
        monkeypatch.setenv("MAOS_ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("MAOS_ANTHROPIC_BASE_URL", running.url)
        policy = RetryPolicy(attempts=4, first_delay_seconds=0, jitter=0)
        monkeypatch.setattr("maos.plan_steps.WRITER_RETRY", policy)
        ClaudeEngine(timeout_seconds=30).save("default", overwrite=True)
        yield running


def files() -> Path:
    return load_settings().artifact_store / "demo" / str(only_run_id())


def output(step: str) -> dict[str, Any]:
    ((found,),) = rows(f"SELECT output FROM agent_invocations WHERE step_id = '{step}' AND status = 'completed'")
    assert isinstance(found, dict)
    return found


def attempts(step: str) -> list[tuple[Any, ...]]:
    return rows(f"SELECT status, error_kind FROM agent_invocations WHERE step_id = '{step}' ORDER BY attempt")


def steps() -> list[str]:
    return [name for (name,) in rows("SELECT DISTINCT step_id FROM agent_invocations ORDER BY step_id")]


def released(asked: GenerateContentRequest, **form: object) -> Approval:
    """Run until the text is asked about, answer, and return what was asked."""
    beside = Beside(asked)
    shown = wait_for_form()
    answer_form(only_run_id(), **{"decision": "approve", "reviewer": REVIEWER} | form)
    state = beside.end()
    assert state.is_completed(), state
    return shown


@pytest.mark.usefixtures("unwritten")
def test_the_example_is_revised_shown_with_what_changed_and_published_in_the_chosen_variant() -> None:
    shown = released(request(), decision="edit", edited=json.dumps({"variant": 2}))

    assert (shown.step_id, shown.risk.value) == ("publish_content", "high")
    assert "REHEARSAL" in shown.preview
    assert "From round 1 to round 2" in shown.preview
    assert "-The cheapest energy for it comes from solar panels" in shown.preview
    assert '`{"variant": N}`' in shown.preview
    assert steps() == [
        *("check_1", "check_2", "draft_1", "draft_2", "publish_content", "read_brief"),
        *("revise_1_2", "revise_2_2", "write_outline"),
    ]
    published = output("publish_content")
    assert (published["variant"], published["round"], published["flags"]) == (2, 2, [])
    folder = files()
    assert sorted(path.name for path in folder.rglob("*.*")) == [
        *("content.docx", "content.html", "content.md", "round-1.md", "round-2.md"),
    ]
    word = Document(BytesIO((folder / "published" / "content.docx").read_bytes()))
    sources = [[cell.text for cell in row.cells] for row in word.tables[0].rows]
    assert sources[0] == ["No.", "Fact", "Source"]
    # The second variant begins with the second fact; the fifth, which must not be said, is not among them.
    assert [row[2].split(" https")[0] for row in sources[1:]] == [
        "Site plan of Bremen, page 4",
        "Budget 2026, approved version",
        "Annual report 2025",
        "Interview with Anna Berg, 9 November 2026",
        "Board minutes of 3 November 2026",
    ]
    assert "cheapest" not in (folder / "published" / "content.html").read_text()
    assert rows("SELECT DISTINCT rehearsal, cost_usd FROM agent_invocations") == [(True, 0)]


@pytest.mark.usefixtures("unwritten")
def test_a_variant_that_there_is_not_is_refused_in_the_form_and_asked_again() -> None:
    beside = Beside(request(variants=1))
    wait_for_form()
    answer_form(only_run_id(), decision="edit", reviewer=REVIEWER, edited=json.dumps({"variant": 2}))
    refused = wait_for(lambda: rows("SELECT gate_refusal FROM orchestrator_runs WHERE gate_refusal IS NOT NULL"))
    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="not today")
    beside.end()

    assert "there is no 2; variants: 1" in refused[0][0]
    assert not (files() / "published").exists()


def test_a_live_text_is_revised_where_a_claim_stands_in_no_fact_and_paid_for(server: MessagesServer) -> None:
    server.will_answer(OUTLINE, input_tokens=1000, output_tokens=200)
    server.will_answer(written(OPENING, WRONG), input_tokens=1000, output_tokens=200)
    server.will_answer(written(OPENING, RIGHT), input_tokens=1000, output_tokens=200)

    shown = released(request(variants=1))

    assert f"-{WRONG}\n+{RIGHT}" in shown.preview
    asked = [each.body["messages"][0]["content"] for each in server.requests]
    assert '"angle":"The opening"' in asked[1]
    assert "section 1.2: not given: “84” in “It has 84 employees.”" in asked[2]
    published = output("publish_content")
    assert (published["round"], published["sources"], published["flags"]) == (2, 2, [])
    text = (files() / "published" / "content.md").read_text()
    assert RIGHT in text
    assert "REHEARSAL" not in text
    ((spent,),) = rows("SELECT sum(cost_usd) FROM agent_invocations")
    assert spent > 0
    assert rows("SELECT reserved, spent FROM budget_standings") == [(0, spent)]


def test_after_three_revisions_a_person_is_shown_what_is_still_flagged(server: MessagesServer) -> None:
    server.will_answer(OUTLINE)
    for _ in range(4):
        server.will_answer(written(OPENING, WRONG))

    shown = released(request(variants=1))

    assert server.left == 0
    assert len(server.requests) == 5
    assert "**FLAGGED: 1**" in shown.preview
    assert "From round 3 to round 4" in shown.preview
    assert output("publish_content")["flags"] == ["section 1.2: not given: “84” in “It has 84 employees.”"]


def test_a_bad_structured_output_is_repaired_once_and_then_fails_with_the_reason(server: MessagesServer) -> None:
    server.will_answer(OUTLINE)
    server.will_answer(written("See https://evil.example"))
    server.will_say("no JSON at all")

    state = generate_content(request(variants=1), return_state=True)

    assert state.is_failed()
    assert "has a link or markup" in server.requests[2].body["messages"][0]["content"]
    assert attempts("draft_1") == [("failed", "unusable_output")] * 2
    assert rows("SELECT status, error_summary FROM orchestrator_runs") == [
        ("failed", "step 'draft_1' failed after 2 tries: the engine did not deliver (unusable output)")
    ]


def test_a_revision_that_fails_leaves_the_text_to_a_person(server: MessagesServer) -> None:
    server.will_answer(OUTLINE)
    server.will_answer(written(OPENING, WRONG))
    server.will_refuse("cyber")
    server.will_answer(written(OPENING, RIGHT))

    shown = released(request(variants=1))

    assert attempts("revise_1_2") == [("failed", "declined")]
    assert "From round 1 to round 3" in shown.preview
    assert output("publish_content")["flags"] == []


def test_a_vendor_that_declines_the_outline_fails_the_run_and_is_not_asked_again(server: MessagesServer) -> None:
    server.will_refuse("cyber")

    assert generate_content(request(), return_state=True).is_failed()
    assert attempts("write_outline") == [("failed", "declined")]
    assert len(server.requests) == 1
    assert pending() == []


def test_a_rate_limit_is_waited_out(server: MessagesServer) -> None:
    server.will_fail(429, "rate_limit_error", headers={"retry-after": "1"})
    server.will_answer(OUTLINE)
    server.will_answer(written(OPENING, RIGHT))

    released(request(variants=1))

    assert attempts("write_outline") == [("failed", "rate_limited"), ("completed", None)]
    assert output("publish_content")["title"] == "A second roastery"


def test_one_variant_that_fails_keeps_no_other_from_being_chosen(server: MessagesServer) -> None:
    server.will_answer(OUTLINE)
    server.will_refuse("cyber")
    server.will_answer(written(OPENING, RIGHT))

    shown = released(request(variants=2))

    assert output("publish_content")["variant"] in {1, 2}
    assert len(rows("SELECT 1 FROM agent_invocations WHERE step_id LIKE 'draft_%' AND status = 'failed'")) == 1
    assert "To publish another one" not in shown.preview


def test_names_of_vendors_in_a_text_reach_no_reader(server: MessagesServer) -> None:
    server.will_answer(OUTLINE)
    for _ in range(4):
        server.will_answer(written(OPENING, "Claude of Anthropic wrote this.", title="By Claude"))

    shown = released(request(variants=1))

    for text in (shown.preview, *(path.read_text() for path in files().rglob("*.md"))):
        assert "claude" not in text.lower()
        assert "anthropic" not in text.lower()
