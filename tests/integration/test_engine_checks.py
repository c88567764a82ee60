"""`maos engines check` calls each configured engine once, for nothing, and tells nobody the key."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from blocks.claude import ClaudeEngine
from blocks.claude_command import ClaudeCommand
from blocks.gemini_image import GeminiImageEngine
from console.engines import engines
from maos.errors import BadInput, StackError
from tasks.dispatch import ENGINE_TASKS
from tasks.engine_checks import CHECKS
from tasks.services.registry import SERVICES
from tests.claude_command import VERSION, ClaudeDouble
from tests.gemini_server import MODEL_PATH, GeminiServer, reason
from tests.messages_server import MessagesServer

KEY = "sk-test-canary-0123456789"
SERVICE = {
    "engine": "service",
    "type": "internal_service",
    "state": "ok",
    "reason": None,
    "latency_ms": None,
    "note": f"{len(SERVICES)} actions",
}


@pytest.fixture(autouse=True)
def _bare_environment(prefect_api: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[None]:
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    monkeypatch.setenv("MAOS_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("MAOS_ANTHROPIC_API_KEY", "MAOS_ANTHROPIC_BASE_URL", "MAOS_GEMINI_API_KEY", "MAOS_GEMINI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    GeminiImageEngine().save("default", overwrite=True)
    ClaudeCommand(executable=str(tmp_path / "nowhere")).save("default", overwrite=True)
    yield
    ClaudeEngine().save("default", overwrite=True)


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    with MessagesServer(key=KEY) as running:
        running.scripts_counts = True
        _configure(running.url)
        yield running


def _configure(url: str, *, key: str = KEY, timeout_seconds: float = 10) -> None:
    engine = ClaudeEngine(api_key=SecretStr(key), base_url=url, timeout_seconds=timeout_seconds)
    engine.save("default", overwrite=True)


def _check() -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Return the exit code and what is said of the writer and of the services."""
    done = CliRunner().invoke(engines, ["check", "--json"])
    assert isinstance(done.exception, SystemExit | None), done.exception
    assert KEY not in done.output
    writer, researcher, illustrator, services = json.loads(done.output)
    assert illustrator["state"] == "not configured"
    assert researcher["state"] in {"not configured", "configured, not called"}
    return done.exit_code, writer, services


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> Iterator[GeminiServer]:
    ClaudeEngine().save("default", overwrite=True)
    with GeminiServer(key=KEY) as running:
        monkeypatch.setenv("MAOS_GEMINI_API_KEY", KEY)
        monkeypatch.setenv("MAOS_GEMINI_BASE_URL", running.url)
        yield running


def _check_illustrator() -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(engines, ["check", "--json"])
    assert KEY not in done.output
    illustrator: dict[str, Any] = json.loads(done.output)[2]
    assert illustrator["engine"] == "illustrator"
    return done.exit_code, illustrator


def test_an_illustrator_that_has_its_model_is_ok_and_draws_nothing(images: GeminiServer) -> None:
    images.will_be_looked_up()

    code, illustrator = _check_illustrator()

    assert (code, illustrator["state"], illustrator["reason"]) == (0, "ok", None)
    assert illustrator["latency_ms"] >= 0
    assert [(request.method, request.path) for request in images.requests] == [("GET", MODEL_PATH)]


@pytest.mark.parametrize(
    ("status", "rest", "said"),
    [
        (400, {"details": [reason("API_KEY_INVALID")]}, "not_permitted"),
        (403, {"message": f"not yours: {KEY}"}, "not_permitted"),
        (404, {}, "bad_request"),
        (429, {}, "rate_limited"),
        (503, {}, "overloaded"),
    ],
)
def test_an_illustrator_that_refuses_fails_with_its_reason(
    images: GeminiServer, status: int, rest: dict[str, Any], said: str
) -> None:
    images.will_fail(status, **rest)

    code, illustrator = _check_illustrator()

    assert (code, illustrator["state"], illustrator["reason"]) == (1, "failed", said)


def test_an_illustrator_that_names_another_model_fails(images: GeminiServer) -> None:
    images.will_be_looked_up("models/gemini-3-pro-image")

    assert _check_illustrator()[1]["reason"] == "unusable_output"


def test_an_engine_that_answers_is_ok_and_nothing_is_paid(server: MessagesServer) -> None:
    server.will_count(input_tokens=8)

    code, writer, services = _check()

    assert code == 0
    assert 0 <= writer.pop("latency_ms") < 10_000
    assert writer == {"engine": "writer", "type": "claude_cli", "state": "ok", "reason": None, "note": "sonnet"}
    assert services == SERVICE
    (request,) = server.requests
    assert request.path == "/v1/messages/count_tokens"
    assert request.body == {"model": "claude-sonnet-5-5", "messages": [{"role": "user", "content": "Hello"}]}


def test_a_command_for_workspaces_says_its_version(server: MessagesServer, tmp_path: Path) -> None:
    ClaudeCommand(executable=str(ClaudeDouble(tmp_path / "bin", key=KEY).path)).save("default", overwrite=True)
    server.will_count(input_tokens=8)

    code, writer, _ = _check()

    assert (code, writer["note"]) == (0, f"sonnet; command {VERSION} for workspaces")


@pytest.mark.parametrize(
    ("status", "error_type", "message", "reason"),
    [
        (400, "invalid_request_error", "messages: wrong", "bad_request"),
        (400, "invalid_request_error", "Your credit balance is too low to access the API.", "billing"),
        (402, "billing_error", "pay first", "billing"),
        (403, "permission_error", f"not yours: {KEY}", "not_permitted"),
        (404, "not_found_error", "model: claude-sonnet-5-5", "bad_request"),
        (413, "request_too_large", "too many bytes", "too_long"),
        (429, "rate_limit_error", "slow down", "rate_limited"),
        (500, "api_error", "internal", "unreachable"),
        (504, "timeout_error", "too slow", "timed_out"),
        (529, "overloaded_error", "overloaded", "overloaded"),
    ],
)
def test_an_engine_that_refuses_fails_with_its_reason_alone(
    server: MessagesServer, status: int, error_type: str, message: str, reason: str
) -> None:
    server.will_fail(status, error_type, message)

    code, writer, services = _check()

    assert code == 1
    assert writer == {
        "engine": "writer",
        "type": "claude_cli",
        "state": "failed",
        "reason": reason,
        "latency_ms": None,
        "note": "",
    }
    assert services == SERVICE
    assert len(server.requests) == 1


def test_a_wrong_key_is_not_permitted(server: MessagesServer) -> None:
    _configure(server.url, key="sk-test-other")

    code, writer, _ = _check()

    assert (code, writer["reason"]) == (1, "not_permitted")


def test_a_key_that_cannot_be_sent_is_a_failure(server: MessagesServer, monkeypatch: pytest.MonkeyPatch) -> None:
    _configure(server.url, key="")
    monkeypatch.setenv("MAOS_ANTHROPIC_API_KEY", "sk-ant-abc…xyz")

    code, writer, _ = _check()

    assert (code, writer["state"], writer["reason"]) == (1, "failed", "not_configured")
    assert server.requests == []


def test_an_engine_that_says_nothing_times_out(server: MessagesServer) -> None:
    _configure(server.url, timeout_seconds=0.3)
    server.will_end("stall", after=None)

    code, writer, _ = _check()

    assert (code, writer["reason"]) == (1, "timed_out")


def test_an_address_where_nobody_is_cannot_be_reached() -> None:
    _configure("http://127.0.0.1:9")

    code, writer, _ = _check()

    assert (code, writer["reason"]) == (1, "unreachable")


@pytest.mark.parametrize("content_type", ["text/html", "application/json"])
def test_another_servers_page_is_no_answer(content_type: str) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-type", content_type)
            self.end_headers()
            self.wfile.write(b'{"hello": "<html>"}')

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    with HTTPServer(("127.0.0.1", 0), Page) as page:
        threading.Thread(target=page.serve_forever, args=(0.05,), daemon=True).start()
        _configure(f"http://127.0.0.1:{page.server_port}")
        code, writer, _ = _check()
        page.shutdown()

    assert (code, writer["reason"]) == (1, "unusable_output")


def test_without_a_key_nothing_is_called_and_nothing_fails() -> None:
    ClaudeEngine().save("default", overwrite=True)

    code, writer, services = _check()

    assert code == 0
    assert (writer["state"], writer["reason"], writer["latency_ms"]) == ("not configured", None, None)
    assert services == SERVICE


def test_people_read_a_table(server: MessagesServer) -> None:
    server.will_fail(529, "overloaded_error")

    done = CliRunner().invoke(engines, ["check"])

    assert done.exit_code == 1
    assert [word for word in ("writer", "failed", "overloaded", "service", "actions") if word not in done.output] == []


def test_the_help_says_what_it_costs() -> None:
    assert "It costs nothing" in CliRunner().invoke(engines, ["check", "--help"]).output


def test_every_engine_that_carries_out_steps_is_checked() -> None:
    assert CHECKS.keys() == ENGINE_TASKS.keys()


def test_without_an_address_of_prefect_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL")

    assert isinstance(CliRunner().invoke(engines, ["check"]).exception, BadInput)


def test_without_the_block_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(ClaudeEngine, "_block_type_slug", "claude-engine-unheard-of")
        failure = CliRunner().invoke(engines, ["check"]).exception

    assert isinstance(failure, StackError)
    assert "maos up" in str(failure)
