"""The whole way of pictures: asked for, made, shown on one sheet, let out after one decision; by the real executor."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextvars import copy_context
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from PIL import Image
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import State

from blocks.gemini_image import GeminiImageEngine
from console.datasets import with_stored_dataset
from flows.create_image import create_image
from maos.errors import BadInput
from maos.image_request import CreateImageRequest
from maos.images import REFERENCE_TOKENS, digest_of_prompt
from maos.plans import RetryPolicy
from maos.settings import load_settings
from tests.gates import REVIEWER, answer_form, only_run_id, pending, rows, wait_for
from tests.gemini_server import USED, GeminiServer, picture
from tests.rule_books import ProjectRules

KEY = "gateway.canary+9b1c"
EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "create_image"
COST = Decimal("0.067446")


@pytest.fixture
def pictures(prefect_api: str, org_id: UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: ARG001
    """A folder that runs may read, with the image engine in Prefect and no key anywhere."""
    GeminiImageEngine(timeout_seconds=10).save("default", overwrite=True)
    policy = RetryPolicy(attempts=3, first_delay_seconds=0, jitter=0)
    monkeypatch.setattr("maos.image_plan._RETRY", policy)
    folder = tmp_path / "pictures"
    folder.mkdir()
    monkeypatch.setenv("MAOS_DATASET_ROOTS", json.dumps([str(folder)]))
    return folder


@pytest.fixture
def server(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GeminiServer]:  # noqa: ARG001
    """The vendor's place, with a key in the settings."""
    with GeminiServer(key=KEY) as running:
        monkeypatch.setenv("MAOS_GEMINI_API_KEY", KEY)
        monkeypatch.setenv("MAOS_GEMINI_BASE_URL", running.url)
        yield running


def request(**fields: object) -> CreateImageRequest:
    asked = json.loads((EXAMPLE / "request.json").read_text())
    return CreateImageRequest.model_validate(asked | {"references": [str(EXAMPLE / "palette.png")]} | fields)


class Beside:
    """A run in a thread, so that its gate can be answered meanwhile."""

    def __init__(self, **fields: object) -> None:
        self.state: State[Any] | None = None
        self._thread = threading.Thread(target=copy_context().run, args=(self._run, request(**fields)), daemon=True)
        self._thread.start()

    def _run(self, asked: CreateImageRequest) -> None:
        self.state = create_image(asked, return_state=True)

    def decided(self, **form: object) -> State[Any]:
        """Answer the one gate; return how the run ended."""
        wait_for(lambda: len(pending()) == 1)
        answer_form(only_run_id(), **{"decision": "approve", "reviewer": REVIEWER} | form)
        self._thread.join(180)
        assert self.state is not None, "the run did not end"
        return self.state


def folder() -> Path:
    return load_settings().artifact_store / "demo" / str(only_run_id())


def manifest() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder() / "published" / "manifest.json").read_text())
    return found


def published() -> list[str]:
    return sorted(str(path.relative_to(folder())) for path in (folder() / "published").rglob("*") if path.is_file())


def attempts() -> list[tuple[Any, ...]]:
    return rows(
        "SELECT step_id, attempt, status, error_kind, cost_usd FROM agent_invocations"
        " WHERE engine_type = 'gemini_image' ORDER BY step_id, attempt"
    )


def shown() -> dict[str, str]:
    chosen = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[only_run_id()]))
    with get_client(sync_client=True) as client:
        return {str(each.key): str(each.type) for each in client.read_artifacts(artifact_filter=chosen, limit=200)}


def test_the_example_is_rehearsed_shown_and_published_after_one_decision(pictures: Path) -> None:  # noqa: ARG001
    beside = Beside()
    wait_for(lambda: len(pending()) == 1)
    (asked,) = pending()

    assert beside.decided().is_completed()
    assert (asked.step_id, asked.risk) == ("publish_images", "high")
    assert "REHEARSAL" in asked.preview
    assert "as a linocut in two colours" in asked.preview
    assert published() == [
        "published/contact-sheet.png",
        "published/image-01.png",
        "published/image-02.png",
        "published/image-03.png",
        "published/manifest.json",
        "published/pictures.md",
        "published/thumbnails/image-01-small.png",
        "published/thumbnails/image-02-small.png",
        "published/thumbnails/image-03-small.png",
    ]
    told = manifest()
    assert told["rehearsal"] is True
    assert told["prompt_digest"] == digest_of_prompt(request().prompt)
    palette = (EXAMPLE / "palette.png").read_bytes()
    assert told["references"] == [{"sha256": hashlib.sha256(palette).hexdigest()}]
    for each in told["pictures"]:
        content = (folder() / each["file"]["name"]).read_bytes()
        assert (each["file"]["sha256"], each["file"]["size"]) == (hashlib.sha256(content).hexdigest(), len(content))
        assert (each["engine"], each["rehearsed"]) == ("illustrator", True)
        drawn = Image.open(BytesIO(content))
        assert drawn.size == (each["width"], each["height"]) == (1024, 576)
        assert drawn.info["Comment"].startswith("REHEARSAL")
        small = Image.open(folder() / each["thumbnail"]["name"])
        assert max(small.size) == 256
    assert len({each["file"]["sha256"] for each in told["pictures"]}) == 3
    assert {row[2:] for row in attempts()} == {("completed", None, Decimal(0))}
    seen = shown()
    assert {"demo-contact-sheet", "demo-image-01", "demo-image-01-small"} <= {
        key for key, kind in seen.items() if kind == "image"
    }
    assert seen["demo-pictures"] == "markdown"


def test_a_refused_picture_is_reported_with_its_reason_paid_for_and_the_others_are_published(
    server: GeminiServer,
) -> None:
    server.will_draw()
    server.will_answer(finish="IMAGE_SAFETY")
    server.will_draw()
    beside = Beside(parallelism=1)
    wait_for(lambda: len(pending()) == 1)
    (asked,) = pending()

    assert beside.decided().is_completed()
    reason = "the picture was refused: it would not be safe"
    assert f"- picture 2: {reason}" in asked.preview
    told = manifest()
    assert [each["number"] for each in told["pictures"]] == [1, 3]
    assert told["missing"] == [{"number": 2, "kind": "declined", "reason": reason}]
    assert attempts() == [
        ("image_01", 1, "completed", None, COST),
        ("image_02", 1, "failed", "declined", COST),
        ("image_03", 1, "completed", None, COST),
    ]
    ((summary,),) = rows("SELECT error_summary FROM orchestrator_runs")
    assert "image_02" in summary
    everything = asked.preview + json.dumps(told) + (folder() / "published" / "pictures.md").read_text() + summary
    assert not any(word in everything.lower() for word in ("gemini", "google", "banana"))


def test_when_every_picture_is_refused_the_run_fails_with_the_reasons_and_asks_nobody(server: GeminiServer) -> None:
    for _ in range(2):
        server.will_answer(parts=None, finish=None, candidates=None, promptFeedback={"blockReason": "SAFETY"})

    state = create_image(request(count=2, parallelism=1), return_state=True)

    assert state.is_failed()
    ((summary,),) = rows("SELECT error_summary FROM orchestrator_runs")
    assert "picture 1: the prompt was refused: it would not be safe" in summary
    assert "picture 2: the prompt was refused: it would not be safe" in summary
    assert rows("SELECT count(*) FROM agent_pending_actions") == [(0,)]


def test_a_rate_limit_is_waited_out_and_one_that_lasts_costs_one_picture_only(server: GeminiServer) -> None:
    server.will_fail(429)
    server.will_draw()
    for _ in range(3):
        server.will_fail(429)

    beside = Beside(count=2, parallelism=1)

    assert beside.decided().is_completed()
    assert [row[:4] for row in attempts()] == [
        ("image_01", 1, "failed", "rate_limited"),
        ("image_01", 2, "completed", None),
        ("image_02", 1, "failed", "rate_limited"),
        ("image_02", 2, "failed", "rate_limited"),
        ("image_02", 3, "failed", "rate_limited"),
    ]
    (missing,) = manifest()["missing"]
    assert (missing["kind"], missing["reason"]) == ("rate_limited", "too much was asked of the illustrator at once")


def test_a_reviewer_publishes_some_and_the_others_are_seen_nowhere(server: GeminiServer) -> None:
    colours = {number: picture(size=(60 + number, 40)) for number in (1, 2, 3)}
    for number in (1, 2, 3):
        server.will_draw(colours[number])
    beside = Beside(parallelism=1)

    assert beside.decided(decision="edit", edited='{"leave_out": [2]}', note="not the second").is_completed()
    assert [name for name in published() if "image-02" in name] == []
    told = manifest()
    assert told["left_out"] == [2]
    assert [each["width"] for each in told["pictures"]] == [61, 63]
    sheets = [Image.open(folder() / name).width for name in ("contact-sheet.png", "published/contact-sheet.png")]
    assert sheets[0] > sheets[1]


@pytest.mark.parametrize(
    ("leave_out", "reason"), [([9], "no picture 9; pictures: 1"), ([1], "every picture; to publish none, reject")]
)
def test_a_choice_that_there_is_not_is_refused_and_asked_again(
    server: GeminiServer, leave_out: list[int], reason: str
) -> None:
    server.will_draw()
    beside = Beside(count=1)
    wait_for(lambda: len(pending()) == 1)

    answer_form(only_run_id(), decision="edit", reviewer=REVIEWER, edited=json.dumps({"leave_out": leave_out}))

    said = "SELECT gate_refusal FROM orchestrator_runs WHERE gate_refusal IS NOT NULL"
    ((refusal,),) = wait_for(lambda: rows(said))
    assert reason in refusal
    assert beside.decided().is_completed()
    assert len(manifest()["pictures"]) == 1


def test_what_is_rejected_is_not_published(server: GeminiServer) -> None:
    server.will_draw()
    beside = Beside(count=1)

    assert beside.decided(decision="reject", note="too dark").is_cancelled()
    assert not (folder() / "published").exists()


def test_references_are_sent_without_what_their_camera_wrote_and_counted_in_the_ceiling(
    pictures: Path, server: GeminiServer
) -> None:
    exif = Image.Exif()
    exif[0x010E] = "canary"
    photo = Image.effect_noise((2400, 1200), 60).convert("RGB")
    photo.save(pictures / "photo.jpg", exif=exif)
    server.will_draw(usage=USED | {"promptTokenCount": 12 + 560})
    beside = Beside(count=1, prompt="A {{ lighthouse }}", references=[str(pictures / "photo.jpg")])

    assert beside.decided().is_completed()
    prompt, sent = server.requests[0].body["contents"][0]["parts"]
    assert prompt == {"text": "A {{ lighthouse }}"}
    seen = base64.urlsafe_b64decode(sent["inlineData"]["data"])
    assert Image.open(BytesIO(seen)).size == (1024, 512)
    assert b"canary" not in seen
    assert rows("SELECT input_tokens FROM agent_invocations WHERE engine_type = 'gemini_image'") == [(572,)]
    ((ceiling,),) = rows("SELECT token_cost_estimate FROM agent_invocations WHERE engine_type = 'gemini_image'")
    assert ceiling == (Decimal(len("A {{ lighthouse }}") + REFERENCE_TOKENS + 2048) / 2 + 4096 * 60) / 1_000_000


def test_a_reference_that_changed_after_the_plan_is_not_sent(pictures: Path, server: GeminiServer) -> None:
    logo = pictures / "logo.png"
    logo.write_bytes(picture())
    beside = Beside(count=1, references=[str(logo)], autonomy="supervised")
    wait_for(lambda: len(pending()) == 1)
    logo.write_bytes(picture(size=(65, 48)))
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)
    # Under supervision the contact sheet is asked about, too.
    wait_for(lambda: [each for each in pending() if each.step_id == "collect_images"])

    assert beside.decided().is_failed()
    assert server.requests == []
    assert [row[2] for row in attempts()] == ["failed"]


@pytest.mark.parametrize("name", ["../secret.png", "missing.png", "notes.png", "link.png", "huge.png"])
def test_a_reference_outside_of_what_may_be_read_or_no_picture_is_refused_before_anything_is_written(
    pictures: Path, server: GeminiServer, name: str
) -> None:
    (pictures.parent / "secret.png").write_bytes(picture())
    (pictures / "notes.png").write_text("no picture")
    (pictures / "link.png").symlink_to(pictures.parent / "secret.png")
    Image.new("1", (9000, 9000)).save(pictures / "huge.png")

    state = create_image(request(references=[name]), return_state=True)

    assert state.is_failed()
    assert "references: " in str(state.message)
    assert server.requests == []
    assert rows("SELECT count(*) FROM orchestrator_runs") == [(0,)]


def test_a_reference_of_the_user_is_copied_to_where_runs_may_read(pictures: Path) -> None:
    logo, notes = pictures.parent / "logo.png", pictures.parent / "notes.png"
    logo.write_bytes(picture())
    notes.write_text("no picture")

    (stored,) = with_stored_dataset(request(references=[str(logo)])).references

    assert Path(stored).is_relative_to(load_settings().dataset_store / "demo")
    assert Path(stored).read_bytes() == picture()
    with pytest.raises(BadInput, match="references: "):
        with_stored_dataset(request(references=[str(notes)]))


def test_a_prompt_that_the_rules_forbid_is_refused_before_anything_is_spent(
    server: GeminiServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ProjectRules(monkeypatch, tmp_path).say("forbidden_terms: [lighthouse]")

    state = create_image(request(), return_state=True)

    assert state.is_failed()
    assert "has the forbidden term 'lighthouse'" in str(state.message)
    assert server.requests == []
    assert rows("SELECT count(*) FROM orchestrator_runs") == [(0,)]
