"""The Prefect clients of a stack load no authorities for an API without TLS; every other client trusts whom it did."""

import json
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.embedded.environment import PROJECT
from deployments.embedded.home import Home
from deployments.embedded.parts import PartName
from deployments.embedded.stack import Stack, build_stack
from maos.settings import load_settings

# What a run does that wants to reach somebody, without doing it.
_AUTHORITIES = """
import json, ssl
from prefect.client.orchestration import get_client
from blocks.cutoff import Cutoff
from blocks.deadline import client_with_deadline
from blocks.gemini_call import GeminiCall
from blocks.webhooks import Webhooks

clients = {
    "prefect": get_client(sync_client=True)._client,
    "writer": client_with_deadline(1),
    "images": GeminiCall(Cutoff(1)).http_client(1),
    "webhooks": Webhooks()._client(1),
}
known = {name: client._transport._pool._ssl_context.cert_store_stats()["x509_ca"] for name, client in clients.items()}
print(json.dumps(known | {"mail": ssl.get_default_verify_paths()}))
"""


def _stack(home: Path, monkeypatch: pytest.MonkeyPatch, **environment: str) -> Stack:
    for name in ("MAOS_DATABASE_URL", "PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_API_SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"MAOS_HOME": str(home)} | environment).items():
        monkeypatch.setenv(name, value)
    prepared = Home(home)
    prepared.prepare()
    return build_stack(prepared, load_settings(), None)


def _environment(stack: Stack) -> dict[str, str]:
    (worker,) = [part for part in stack.parts if part.name == PartName.WORKER]
    assert worker.command is not None
    return dict(worker.command.environment)


def test_of_the_clients_of_a_run_only_prefects_trusts_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = _environment(_stack(tmp_path / "maos", monkeypatch))

    said = subprocess.run(
        [sys.executable, "-c", _AUTHORITIES],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    known = json.loads(said.splitlines()[-1])

    assert known.pop("prefect") == 0
    assert known.pop("mail") == list(ssl.get_default_verify_paths())
    assert set(known) == {"writer", "images", "webhooks"}
    assert min(known.values()) > 50


def test_a_server_elsewhere_is_trusted_as_its_operator_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = {"PREFECT_API_URL": "https://prefect.example/api"}

    told = _stack(tmp_path / "a", monkeypatch, PREFECT_API_SSL_CERT_FILE="/etc/own.pem", **elsewhere)
    untold = _stack(tmp_path / "b", monkeypatch, **elsewhere)

    assert (
        _environment(told)["PREFECT_API_SSL_CERT_FILE"] == told.connection.prefect_api_ssl_cert_file == "/etc/own.pem"
    )
    assert "PREFECT_API_SSL_CERT_FILE" not in _environment(untold)


def test_the_commands_are_told_by_the_stack_unless_they_go_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = _stack(tmp_path / "maos", monkeypatch)
    stack.connection.write(stack.home.connection)

    assert load_settings().prefect_api_ssl_cert_file == str(tmp_path / "maos" / "no-authority.pem")
    monkeypatch.setenv("PREFECT_API_URL", "https://prefect.example/api")
    assert load_settings().prefect_api_ssl_cert_file is None
