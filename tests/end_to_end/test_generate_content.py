"""A text through its deployment: written, revised, chosen, released, published, accounted for."""

from html.parser import HTMLParser
from io import BytesIO

from docx import Document

from tests.end_to_end.conftest import Maos

REVIEWER = "reviewer@demo.example"
REQUEST = "examples/generate_content/request.json"


class _Sources(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.rows: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.rows += [str(value) for name, value in attrs if tag == "tr" and name == "id"]


def test_the_example_is_published_in_three_formats_once_it_is_released(maos: Maos) -> None:
    run_id = maos.run("run", "generate_content", "--request", REQUEST, "--wait").split()[0]
    asked = f"SELECT step_id, id::text FROM agent_pending_actions WHERE run_id = '{run_id}' AND status = 'pending'"
    ((step, approval),) = maos.rows(asked)
    assert step == "publish_content"
    shown = maos.run("approvals", "show", approval)
    assert "-The cheapest energy for it comes from solar panels" in shown

    maos.run("approvals", "approve", approval, "--as", REVIEWER, "--note", "well done")
    maos.shown(run_id, "status = 'completed'")

    published = maos.home / "artifacts" / "demo" / run_id / "published"
    page = _Sources((published / "content.html").read_text())
    word = Document(BytesIO((published / "content.docx").read_bytes()))
    assert page.rows == [f"source-{number}" for number in range(1, 6)]
    assert not {"script", "img", "link"} & page.tags
    assert len(word.tables[0].rows) == 6
    assert word.paragraphs[0].text.startswith("REHEARSAL")
    assert (published / "content.md").read_text().startswith("**REHEARSAL**")
    steps = f"SELECT step_id, status FROM agent_invocations WHERE run_id = '{run_id}' ORDER BY step_id"
    assert maos.rows(steps) == [
        (name, "completed")
        for name in (
            *("check_1", "check_2", "draft_1", "draft_2", "publish_content", "read_brief"),
            *("revise_1_2", "revise_2_2", "write_outline"),
        )
    ]
    assert maos.rows(f"SELECT sum(cost_usd) FROM agent_invocations WHERE run_id = '{run_id}'") == [(0,)]
