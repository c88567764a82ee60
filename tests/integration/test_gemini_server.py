"""The local server of the image API refuses what the real one would."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.gemini_server import LOCKED_PATH, GeminiServer

KEY = "test-key"
BODY: dict[str, Any] = {
    "contents": [{"parts": [{"text": "A lighthouse"}], "role": "user"}],
    "generationConfig": {
        "candidateCount": 1,
        "maxOutputTokens": 4096,
        "responseModalities": ["IMAGE"],
        "imageConfig": {"aspectRatio": "1:1", "imageSize": "1K"},
    },
}


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with GeminiServer(key=KEY) as running:
        running.will_draw()
        yield running


def post(server: GeminiServer, *, path: str = LOCKED_PATH, key: str = KEY, **changes: Any) -> int:
    headers = {"x-goog-api-key": key} if key else {}
    return httpx.post(f"{server.url}{path}", json=BODY | changes, headers=headers, trust_env=False).status_code


def test_a_right_request_is_answered(server: GeminiServer) -> None:
    assert post(server) == 200
    assert server.requests[0].headers["x-goog-api-key"] == "***"


@pytest.mark.parametrize(
    "path",
    [
        LOCKED_PATH.replace("v1beta", "v1"),
        LOCKED_PATH.replace("models/", "models/x"),
        LOCKED_PATH.replace("generateContent", "streamGenerateContent"),
        LOCKED_PATH.replace("generateContent", "predict"),
    ],
)
def test_another_version_model_or_method_is_not_found(server: GeminiServer, path: str) -> None:
    assert post(server, path=path) == 404


@pytest.mark.parametrize(("key", "status"), [("", 403), ("wrong", 400)])
def test_a_request_without_the_right_key_is_refused(server: GeminiServer, key: str, status: int) -> None:
    assert post(server, key=key) == status


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "another"},
        {"contents": []},
        {"generationConfig": BODY["generationConfig"] | {"responseModalities": ["TEXT", "IMAGE"]}},
        {"generationConfig": BODY["generationConfig"] | {"imageConfig": {"aspectRatio": "5:1", "imageSize": "1K"}}},
    ],
)
def test_an_unknown_field_or_value_is_refused(server: GeminiServer, changes: dict[str, Any]) -> None:
    assert post(server, **changes) == 400
