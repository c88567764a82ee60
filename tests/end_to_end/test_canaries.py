"""Canaries in keys, answers, errors and passwords: none is found again, wherever a stack writes; and no vendor where
clients read.

Not searched for: what only lies in `connection.json` and `credentials.json`, where the stack keeps its passwords, and
in PostgreSQL's own files, whose tables are read as text. Not run: `maos db url` and `maos up`, which print a login
because they are asked to. Not found would be a secret that is split over two records, or hashed.
"""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from zipfile import ZipFile

import psycopg
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from maos.content_review import MOST_ROUNDS
from maos.evidence_check import check_evidence
from maos.secret_patterns import forms_of
from tasks.dispatch import ENGINE_TASKS
from tasks.entrypoints import ENTRYPOINTS
from tests.canary_process import STEPS
from tests.end_to_end.conftest import ROOT, Maos
from tests.gemini_server import GeminiServer
from tests.mail_receiver import Delivered, MailReceiver
from tests.messages_server import MessagesServer
from tests.webhook_receiver import WebhookReceiver

WRITER_KEY, IMAGE_KEY, MAIL_PASSWORD = "canary.writer+qzx/w", "canary.image+qzx/v", "canary.mail+qzx/u"
VENDORS = ("claude", "anthropic", "opus", "sonnet", "gemini", "google", "banana", "openai")
# What an engine says of itself, with what it should not know.
GIVEN_AWAY = f"Claude Opus by Anthropic wrote this, not Gemini of Google; the key is {WRITER_KEY}."
# Everything is let loose once, before the first test.
pytestmark = pytest.mark.timeout(900)
REVIEWER = "reviewer@demo.example"
REQUEST = "examples/generate_report/request.json"
PICTURES = "examples/create_image/request.json"
QUESTION = "examples/analyze_data/request.json"
CONTENT = "examples/generate_content/request.json"
WORKFLOW = "examples/run_workflow/request.json"
WHOLE_COPIES = frozenset({"connection.json", "credentials.json"})


@dataclass(frozen=True)
class Stage:
    """The stack with its vendors, mail server and receivers here, and what was seen of it."""

    maos: Maos
    writer: MessagesServer
    illustrator: GeminiServer
    mail: MailReceiver
    hook: WebhookReceiver
    printed: list[str]

    def run(self, *arguments: str, expect: int | None = 0) -> str:
        said = self.maos.run(*arguments, expect=expect)
        self.printed.append(said)
        return said

    @property
    def secrets(self) -> set[str]:
        """Every secret that there is."""
        generated: dict[str, str] = json.loads((self.maos.home / "credentials.json").read_text())
        return {WRITER_KEY, IMAGE_KEY, MAIL_PASSWORD, *generated.values()}

    @property
    def own_password(self) -> str:
        """A secret that the command line knows: Prefect's."""
        return str(json.loads((self.maos.home / "credentials.json").read_text())["prefect_api"])

    def found_in(self, text: str) -> list[str]:
        """Return the secrets that a text holds, in whatever form."""
        lower = text.lower()
        return [secret for secret in self.secrets if any(form.lower() in lower for form in forms_of(secret))]

    def python(self, *arguments: str, **variables: str) -> None:
        """Run Python as the command line would be run, and keep what it prints."""
        said = subprocess.run(
            [sys.executable, *arguments],
            env=self.maos._environment() | variables,
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=240,
            check=True,
        )
        self.printed.append(said.stdout + said.stderr)


def _report(stage: Stage) -> None:
    stage.writer.will_answer({"headline": "North leads", "paragraphs": [GIVEN_AWAY], "caveats": []})
    run_id = stage.maos.start_report("--param", "title=Made with Claude")
    (waiting,) = [row["id"] for row in stage.maos.json("approvals", "list") if row["run_id"] == run_id]
    stage.run("approvals", "show", waiting)
    stage.run("approvals", "approve", waiting, "--as", REVIEWER, "--note", f"as Claude says, {stage.own_password}")
    stage.writer.will_fail(401, "authentication_error", f"invalid x-api-key {WRITER_KEY} of claude-sonnet-5-5")
    stage.run("run", "generate_report", "--request", REQUEST, "--wait", expect=1)
    stage.maos.shown(run_id, "status = 'completed'", seconds=120)


def _analysis(stage: Stage) -> None:
    told = GIVEN_AWAY.replace("'", "''")
    stage.writer.will_answer(
        {
            "answerable": True,
            "missing": [],
            "sql": f"SELECT region, '{told}' AS note, sum(revenue) AS claude_total FROM orders GROUP BY region",
            "key_is": "sum",
            "key_column": "claude_total",
            "check_sql": "SELECT sum(revenue) AS anthropic FROM orders",
            "assumptions": [GIVEN_AWAY],
        }
    )
    stage.writer.will_answer({"answer": GIVEN_AWAY, "context": GIVEN_AWAY, "caveats": [GIVEN_AWAY]})
    stage.run("run", "analyze_data", "--request", QUESTION, "--param", "title=Asked of Gemini", "--wait")
    stage.writer.will_fail(401, "authentication_error", f"invalid x-api-key {WRITER_KEY} of claude-sonnet-5-5")
    stage.run("run", "analyze_data", "--request", QUESTION, "--wait", expect=1)


def _content(stage: Stage) -> None:
    outline = {"title": "By Claude", "sections": [{"heading": "Gemini", "point": "x", "facts": []}], "angles": ["x"]}
    section = {"heading": "By Anthropic", "paragraphs": [{"text": GIVEN_AWAY, "facts": []}]}
    stage.writer.will_answer(outline)
    # The draft, and as many revisions of it as there are rounds: none is any better.
    for _ in range(MOST_ROUNDS):
        stage.writer.will_answer({"title": "Made with Claude", "sections": [section], "names": ["Anthropic"]})
    asked = ("--request", CONTENT, "--param", "variants=1", "--param", "title=Written by Claude")
    run_id = stage.run("run", "generate_content", *asked, "--wait").split()[0]
    (waiting,) = [row["id"] for row in stage.maos.json("approvals", "list") if row["run_id"] == run_id]
    stage.run("approvals", "show", waiting)
    stage.run("approvals", "approve", waiting, "--as", REVIEWER, "--note", "as Gemini says")
    stage.maos.shown(run_id, "status = 'completed'", seconds=120)


def _mail(stage: Stage) -> None:
    # One message for which the writer gives away what it can, one for which it fails, the rest as they come.
    said = {"category": "other", "summary": GIVEN_AWAY, "fields": [], "decision": "task", "reason": GIVEN_AWAY}
    for _ in range(6):
        stage.writer.will_answer(said | {"draft": "", "colleague": ""})
    stage.run("run", "process_email", "--request", "examples/process_email/request.json", "--wait")


def _pictures(stage: Stage) -> None:
    # One that says what it should not in its metadata, one that is refused, one that fails with the key in its error.
    notes, target = PngInfo(), BytesIO()
    notes.add_text("Software", GIVEN_AWAY)
    Image.new("RGB", (64, 48), "teal").save(target, format="PNG", pnginfo=notes)
    stage.illustrator.will_draw(target.getvalue())
    stage.illustrator.will_answer(parts=[{"text": GIVEN_AWAY}], finish="IMAGE_SAFETY")
    stage.illustrator.will_fail(400, f"gemini refuses the key {IMAGE_KEY}")
    # In a process of its own: the worker has no key of the illustrator's, and nobody is there to approve.
    stage.maos.rows("UPDATE organizations SET autonomy = 'autonomous' RETURNING id")
    stage.python("-c", _RUN_PICTURES, MAOS_GEMINI_API_KEY=IMAGE_KEY, PREFECT_LOGGING_LEVEL="INFO")
    stage.maos.rows("UPDATE organizations SET autonomy = 'semi_autonomous' RETURNING id")


def _workflow(stage: Stage) -> None:
    stage.writer.will_call(("update_todos", {"todos": [{"text": GIVEN_AWAY, "state": "done"}]}))
    finding = {
        "statement": GIVEN_AWAY,
        "document": "tasting.md",
        "quote": "Twenty-six preferred the new roast, nine the house roast",
    }
    said = {"summary": GIVEN_AWAY, "findings": [finding], "contradictions": [GIVEN_AWAY], "open_questions": []}
    stage.writer.will_answer(said)
    stage.run("run", "run_workflow", "--request", WORKFLOW, "--param", "title=Worked out by Claude", "--wait")


# Each entrypoint, driven until its engines have said what they should not.
ENTRYPOINT_CASES: Mapping[str, Callable[[Stage], None]] = {
    "analyze_data": _analysis,
    "generate_content": _content,
    "create_image": _pictures,
    "generate_report": _report,
    "process_email": _mail,
    "run_workflow": _workflow,
}


def _every_engine(stage: Stage) -> None:
    stage.writer.will_answer({"text": GIVEN_AWAY})
    stage.writer.will_fail(400, "invalid_request_error", f"claude-sonnet-5-5 refuses the key {WRITER_KEY}")
    # The writer's steps come first; each engine's second step depends on its first, and the agent's on the images.
    stage.writer.will_call(
        ("update_todos", {"todos": [{"text": GIVEN_AWAY, "state": "done"}]}),
        ("stumble", {}),
        ("echo", {}),
        ("write_file", {"path": "notes.md", "content": GIVEN_AWAY}),
        ("remember", {"key": "said", "value": GIVEN_AWAY}),
        text=GIVEN_AWAY,
    )
    stage.writer.will_say(GIVEN_AWAY)
    stage.writer.will_fail(400, "invalid_request_error", f"claude-sonnet-5-5 refuses the key {WRITER_KEY}")
    stage.illustrator.will_draw()
    stage.illustrator.will_fail(400, f"gemini refuses the key {IMAGE_KEY}")
    stage.maos.rows("UPDATE organizations SET autonomy = 'autonomous' RETURNING id")
    variables = {"CANARY_HOOK": stage.hook.url, "MAOS_GEMINI_API_KEY": IMAGE_KEY, "PREFECT_LOGGING_LEVEL": "INFO"}
    stage.python("-c", _RUN_PLAN, **variables)
    stage.maos.rows("UPDATE organizations SET autonomy = 'semi_autonomous' RETURNING id")


def _commands(stage: Stage) -> None:
    """Run every command that lists, shows or checks; in one process, which is as good and much faster."""
    # Report, analysis, those whose writer refused, text, pictures, mail, workflow, every engine's plan: newest first.
    runs = [run["id"] for run in stage.maos.json("runs", "list")[:9]]
    files = stage.maos.home / "evidence"
    files.mkdir()
    listings = [
        *(["runs", "show", run] for run in runs),
        *([name, "list"] for name in ("runs", "approvals", "audit", "actions", "notices")),
        ["prices", "show"],
        ["audit", "show", "demo", "1"],
        ["notices", "route", "list"],
    ]
    written = [
        *(["evidence", run, "--out", str(files / f"{run}.json")] for run in runs),
        *(["evidence", run, "--internal", "--out", str(files / f"{run}-internal.json")] for run in runs),
        ["audit", "export", "--org", "demo", str(files / "demo.jsonl")],
        ["audit", "verify", str(files / "demo.jsonl")],
    ]
    checks = [
        ["engines", "check"],
        ["prices", "recompute"],
        ["audit", "verify"],
        ["reconcile"],
        ["--debug", "runs", "show", "0"],
    ]
    plans = [["plan", "generate_report", "--request", REQUEST]]
    secret = [["run", "generate_report", "--request", REQUEST, "--param", f"title={stage.own_password}"]]
    commands = [*listings, *([*listing, "--json"] for listing in listings), *written, *checks, *plans, *secret]
    stage.python("-c", _RUN_ALL, json.dumps(commands))
    assert "title: '[secret]' is not accepted" in stage.printed[-1]


_RUN_PLAN = """
from console.prefect_environment import point_prefect_at_server
point_prefect_at_server()
from tests.canary_process import main
main()
"""

_RUN_PICTURES = f"""
import json
from console.prefect_environment import point_prefect_at_server
point_prefect_at_server()
from flows.create_image import create_image
from maos.image_request import CreateImageRequest
asked = json.load(open("{PICTURES}")) | {{"references": ["create_image/palette.png"], "parallelism": 1}}
create_image(CreateImageRequest.model_validate(asked), return_state=True)
"""

_RUN_ALL = """
import contextlib, json, sys, traceback
from console.main import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["maos", *arguments]
    try:
        main()
    except SystemExit:
        pass
    except Exception:
        sys.excepthook(*sys.exc_info())
"""

_BLOCKS = f"""
import sys
from console.prefect_environment import point_prefect_at_server
point_prefect_at_server()
from blocks.claude import ClaudeEngine
from blocks.gemini_image import GeminiImageEngine
from blocks.mail_server import MailServer
from blocks.webhooks import Webhooks
writer, illustrator, mail = sys.argv[1:4] if sys.argv[1:] else ("", "", "")
# The writer's key is a block's, the image engine's the environment's.
ClaudeEngine(api_key="{WRITER_KEY}" if writer else None, base_url=writer).save("default", overwrite=True)
GeminiImageEngine(base_url=illustrator).save("default", overwrite=True)
login = {{"host": "127.0.0.1", "port": mail, "security": "none", "username": "runs", "password": "{MAIL_PASSWORD}"}}
MailServer(**(login | {{"sender": "maos@demo.example"}} if mail else {{}})).save("default", overwrite=True)
Webhooks(allow_private=bool(mail)).save("default", overwrite=True)
"""


@pytest.fixture(scope="module")
def stage(maos: Maos) -> Iterator[Stage]:
    """The stack after everything was let loose on it; its blocks are what they were, afterwards."""
    with (
        MessagesServer(key=WRITER_KEY) as writer,
        GeminiServer(key=IMAGE_KEY) as illustrator,
        MailReceiver(login=("runs", MAIL_PASSWORD)) as mail,
        WebhookReceiver() as hook,
    ):
        played = Stage(maos, writer, illustrator, mail, hook, [])
        try:
            played.python("-c", _BLOCKS, writer.url, illustrator.url, str(mail.port))
            for case in ENTRYPOINT_CASES.values():
                case(played)
            _every_engine(played)
            _commands(played)
        finally:
            played.python("-c", _BLOCKS)
        yield played


def test_every_entrypoint_and_every_engine_has_a_canary() -> None:
    assert ENTRYPOINT_CASES.keys() == ENTRYPOINTS.keys()
    assert STEPS.keys() == ENGINE_TASKS.keys()


def test_every_canary_was_let_loose(stage: Stage) -> None:
    attempts = stage.maos.rows("SELECT DISTINCT step_id, status FROM agent_invocations WHERE NOT rehearsal")

    assert {
        ("write_narrative", "completed"),
        ("write_narrative", "failed"),
        ("publish_report", "completed"),
        ("write_query", "completed"),
        ("write_query", "failed"),
        ("write_answer", "completed"),
        ("present_answer", "completed"),
        ("draft_1", "completed"),
        ("revise_1_4", "completed"),
        ("publish_content", "completed"),
        ("image_01", "completed"),
        ("image_02", "failed"),
        ("image_03", "failed"),
        ("publish_images", "completed"),
        ("work", "completed"),
        ("deliver_output", "completed"),
        ("tells", "completed"),
        ("breaks", "failed"),
        ("draws", "completed"),
        ("smears", "failed"),
        ("seeks", "pending"),
        ("seeks", "completed"),
        ("gropes", "failed"),
        ("stumbles", "failed"),
        ("echoes", "completed"),
        ("calls", "completed"),
        ("mails", "completed"),
    } <= set(attempts)


def test_no_secret_is_in_any_table_of_any_database(stage: Stage) -> None:
    found = {f"{database}.{table}": hits for database, table, text in _tables(stage) if (hits := stage.found_in(text))}

    assert found == {}


def _tables(stage: Stage) -> Iterator[tuple[str, str, str]]:
    address = stage.maos.connection()["database_url"]
    for database in ("maos", "prefect"):
        with psycopg.connect(urlunsplit(urlsplit(address)._replace(path=f"/{database}"))) as connection:
            tables = connection.execute(
                "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables "
                "WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
            ).fetchall()
            assert len(tables) > 10
            for (table,) in tables:
                rows = connection.execute(f"SELECT t::text FROM {table} t".encode()).fetchall()
                yield database, table, "\n".join(row[0] for row in rows)


def test_no_secret_is_in_any_file_of_the_home(stage: Stage) -> None:
    files = [path for path in stage.maos.home.rglob("*") if _is_searched(path, stage.maos.home)]

    assert {"worker.log", "prefect.log", "report.html"} <= {path.name for path in files}
    assert {str(path): hits for path in files if (hits := stage.found_in(_text_of(path)))} == {}


def _is_searched(path: Path, home: Path) -> bool:
    inside = path.relative_to(home).parts
    return path.is_file() and inside[0] not in {"postgres", "cache"} and path.name not in WHOLE_COPIES


def test_no_command_and_no_process_prints_a_secret(stage: Stage) -> None:
    assert [hits for said in stage.printed if (hits := stage.found_in(said))] == []


def test_no_engine_is_told_a_secret(stage: Stage) -> None:
    told = json.dumps([request.body for request in stage.writer.requests])

    # The service failed in the agent's hands too: it learned of what kind the error was, and no more.
    assert "the service failed (RuntimeError)" in told
    # What the engine has said itself is sent back to it as it was kept.
    assert stage.found_in(told) == []


def test_clients_read_of_no_vendor_and_of_no_secret(stage: Stage) -> None:
    seen = {name: text for name, text in _client_surfaces(stage).items() if text}

    views = {f"client.{view}" for view in ("runs", "invocations", "approvals", "usage", "audit")}
    assert views | {"webhook", "email"} <= seen.keys()
    assert any(name.endswith("report.html") for name in seen)
    assert any(name.endswith("answer.html") for name in seen)
    assert any(name.endswith("content.docx") for name in seen)
    assert any(name.endswith("manifest.json") for name in seen)
    assert any(name.endswith("image-01.png") for name in seen)
    assert any(name.endswith("output.md") for name in seen)
    for name, text in seen.items():
        assert [vendor for vendor in VENDORS if vendor in text.lower()] == [], f"{name}: {text[:4000]}"
        assert stage.found_in(text) == [], name
        assert "127.0.0.1" not in text, name
        # What the illustrator was asked for.
        assert "lighthouse" not in text.lower(), name


def test_the_evidence_of_a_run_names_no_vendor_and_holds(stage: Stage) -> None:
    files = list((stage.maos.home / "evidence").glob("*.json"))
    texts = {path.stem: path.read_text() for path in files}
    for_clients = {name: text for name, text in texts.items() if not name.endswith("-internal")}

    # Report and analysis, those whose writer refused, text, pictures, mail, workflow, and the plan of every engine.
    assert len(for_clients) == 9
    for name, text in for_clients.items():
        assert [vendor for vendor in VENDORS if vendor in text.lower()] == [], name
        assert stage.found_in(text) == [], name
        assert "127.0.0.1" not in text, name
    assert [(path.stem, check_evidence(path.read_bytes()).finding) for path in files] == [
        (path.stem, None) for path in files
    ]
    # Operators do read it.
    assert any("claude-" in text for name, text in texts.items() if name.endswith("-internal"))


def _as_read(mail: Delivered) -> str:
    headers = [f"{name}: {value}" for name, value in mail.message.items()]
    texts = [part.get_content() for part in mail.message.walk() if part.get_content_maintype() == "text"]
    return "\n".join((*headers, *texts))


def _client_surfaces(stage: Stage) -> dict[str, str]:
    surfaces: dict[str, str] = {}
    login = stage.maos.json("org", "client-login", "demo")
    account = {"user": login["name"], "password": login["password"]}
    with psycopg.connect(stage.maos.connection()["database_url"], **account) as connection:
        views = connection.execute("SELECT table_name FROM information_schema.views WHERE table_schema = 'client'")
        for (view,) in views.fetchall():
            rows = connection.execute(f"SELECT v::text FROM client.{view} v".encode()).fetchall()
            surfaces[f"client.{view}"] = "\n".join(row[0] for row in rows)
    for folder in ("published", "answer", "review", "output"):
        for path in (stage.maos.home / "artifacts").rglob(f"{folder}/**/*"):
            if path.is_file():
                surfaces[str(path)] = _text_of(path)
    surfaces["webhook"] = json.dumps([delivery.body for delivery in stage.hook.deliveries])
    # The one address of this machine in them: that of the form, for whoever may decide.
    pages = stage.maos.connection()["prefect_api_url"].removesuffix("/api") + "/runs/flow-run/"
    surfaces["email"] = "\n".join(map(_as_read, stage.mail.messages)).replace(pages, "")
    surfaces["runs"] = json.dumps(_run_names(stage))
    return surfaces


def _text_of(path: Path) -> str:
    if path.suffix != ".docx":
        # The server gives its leases back while the files are read.
        with contextlib.suppress(FileNotFoundError):
            return path.read_text(errors="replace")
        return ""
    with ZipFile(path) as parts:
        return "\n".join(parts.read(name).decode() for name in parts.namelist() if name.endswith((".xml", ".rels")))


def _run_names(stage: Stage) -> list[Any]:
    # Runs of housekeeping that have not begun are called something like `mighty-octopus`, which holds a name by chance.
    ours = {"flow_runs": {"name": {"like_": "demo: "}}, "limit": 100}
    found: list[dict[str, Any]] = stage.maos.prefect("POST", "/flow_runs/filter", ours)
    names = [run["name"] for run in found]
    assert len(names) >= 2
    return names


def test_the_figures_and_the_sentence_around_a_name_stay(stage: Stage) -> None:
    pages = [page.read_text() for page in (stage.maos.home / "artifacts").rglob("published/report.md")]

    said = "\\[engine\\] by \\[engine\\] wrote this, not \\[engine\\] of \\[engine\\]"
    # Other reports may have been published in this stack before.
    assert sum(said in page for page in pages) == 1
