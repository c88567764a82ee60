"""Steps that make images, through the whole executor: the real SDK over HTTP against a strict local server."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from PIL import Image
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

from blocks.claude import ClaudeEngine
from blocks.gemini_image import GeminiImageEngine
from maos.corrections import Finding
from maos.engines import EngineType
from maos.errors import UnpricedModel
from maos.images import IMAGE_MODEL, LONGEST_PROMPT_BYTES, MAX_OUTPUT_TOKENS, digest_of_prompt
from maos.plans import Plan, PlanStep
from maos.price_overrides import PriceOverride
from maos.settings import load_settings
from maos.tariffs import Tariff
from sql.corrections import CallFilter
from tasks.corrections import review_costs
from tasks.engines import engines_without_key
from tasks.gemini_image import planned_ceilings
from tasks.tariffs import set_override
from tests.gates import REVIEWER, answer_form, cancel_the_run, only_run_id, pending, refuse_top_up, rows, wait_for
from tests.gemini_server import LOCKED_PATH, GeminiServer, picture
from tests.plans import AT_ONCE, Bench, step

KEY = "gateway.canary+9b1c"
PROMPT = "A lighthouse at {{ place.text }}"
SENT = "Paint plainly.\n\nA lighthouse at dusk"
COST = Decimal("0.067446")


@pytest.fixture
def bench(prefect_api: str, org_id: UUID, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:  # noqa: ARG001
    """A run's bench, with the image engine in Prefect and no key anywhere."""
    GeminiImageEngine(timeout_seconds=10).save("default", overwrite=True)
    return Bench(monkeypatch, tmp_path)


@pytest.fixture
def server(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Iterator[GeminiServer]:  # noqa: ARG001 - comes after it
    """The vendor's place, with a key in the settings."""
    with GeminiServer(key=KEY) as running:
        monkeypatch.setenv("MAOS_GEMINI_API_KEY", KEY)
        monkeypatch.setenv("MAOS_GEMINI_BASE_URL", running.url)
        yield running


def image(**parameters: object) -> PlanStep:
    """Return a step that makes an image of what the step `place` has noted."""
    return PlanStep.model_validate(
        {
            "id": "cover",
            "agent": {"name": "painter", "persona": "Paint plainly."},
            "engine": "gemini_image",
            "action": "create_image",
            "parameters": {"prompt": PROMPT, "aspect_ratio": "4:3"} | parameters,
            "inputs": {"place": "place"},
            "retry": AT_ONCE,
        }
    )


def plan(bench: Bench, **parameters: object) -> None:
    bench.plan(step("place", text="dusk"), image(**parameters))


def attempts() -> list[tuple[Any, ...]]:
    return rows(
        "SELECT attempt, status, error_kind, cost_usd FROM agent_invocations WHERE step_id = 'cover' ORDER BY attempt"
    )


def made() -> Path:
    return next(load_settings().artifact_store.rglob("images/cover.png"))


def shown_images() -> list[str]:
    chosen = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[only_run_id()]))
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=chosen)
    return [artifact.key for artifact in found if artifact.type == "image" and artifact.key]


def test_an_image_becomes_a_file_of_the_run_and_is_paid_for_exactly(bench: Bench, server: GeminiServer) -> None:
    server.will_draw()
    plan(bench)

    assert bench.run().is_completed()
    assert server.asked == [LOCKED_PATH]
    assert server.requests[0].body["contents"][0]["parts"] == [{"text": SENT}]
    assert made().read_bytes() == picture()
    ((output,),) = rows("SELECT output FROM agent_invocations WHERE step_id = 'cover'")
    file = output.pop("file")
    assert (file["name"], file["media_type"], file["size"]) == ("images/cover.png", "image/png", len(picture()))
    assert output == {"prompt_digest": digest_of_prompt(SENT), "width": 64, "height": 48, "rehearsed": False}
    assert attempts() == [(1, "completed", None, COST)]
    assert rows("SELECT kind FROM usage_entries ORDER BY recorded_at") == [("reserve",), ("settle",)]
    assert rows("SELECT input_tokens, output_tokens FROM agent_invocations WHERE step_id = 'cover'") == [(12, 1200)]
    assert rows("SELECT model FROM invocation_vendor_details") == [(IMAGE_MODEL,)]
    assert rows("SELECT rehearsal FROM orchestrator_runs") == [(False,)]
    assert "demo-cover" in shown_images()


def test_a_jpeg_that_says_so_becomes_a_png(bench: Bench, server: GeminiServer) -> None:
    server.will_draw(picture("JPEG"), "image/jpeg")
    plan(bench)

    assert bench.run().is_completed()
    assert Image.open(made()).format == "PNG"


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (picture("JPEG"), "image/png"),
        (picture()[:60], "image/png"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
        (picture("GIF"), "image/gif"),
        (b"canary", "image/png"),
    ],
)
def test_bytes_that_are_not_the_image_they_claim_are_refused_and_paid_for(
    bench: Bench, server: GeminiServer, content: bytes, media_type: str
) -> None:
    server.will_draw(content, media_type)
    plan(bench)

    assert bench.run().is_failed()
    assert attempts() == [(1, "failed", "unusable_output", COST)]
    assert not list(load_settings().artifact_store.rglob("*.png"))
    assert server.asked == [LOCKED_PATH]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404])
def test_a_locked_model_that_fails_reaches_no_other(bench: Bench, server: GeminiServer, status: int) -> None:
    server.will_fail(status, f"no such key: {KEY}")
    plan(bench)

    assert bench.run().is_failed()
    assert server.asked == [LOCKED_PATH]
    everything = rows("SELECT * FROM agent_invocations") + rows("SELECT * FROM invocation_vendor_details")
    assert KEY not in str(everything)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_failure_that_may_pass_asks_the_same_model_again(bench: Bench, server: GeminiServer, status: int) -> None:
    for _ in range(3):
        server.will_fail(status)
    plan(bench)

    assert bench.run().is_failed()
    assert server.asked == [LOCKED_PATH] * 3
    assert rows("SELECT kind, count(*) FROM usage_entries GROUP BY kind ORDER BY kind") == [
        ("release", 3),
        ("reserve", 3),
    ]


def test_an_overloaded_engine_is_asked_again(bench: Bench, server: GeminiServer) -> None:
    server.will_fail(503)
    server.will_draw()
    plan(bench)

    assert bench.run().is_completed()
    assert attempts() == [(1, "failed", "overloaded", Decimal(0)), (2, "completed", None, COST)]


def test_a_refusal_is_not_tried_again_and_owed(bench: Bench, server: GeminiServer) -> None:
    server.will_answer(finish="IMAGE_SAFETY")
    plan(bench)

    assert bench.run().is_failed()
    assert attempts() == [(1, "failed", "declined", COST)]
    ((summary,),) = rows("SELECT error_summary FROM orchestrator_runs")
    assert "gemini" not in summary.lower()


def test_a_call_whose_fate_is_unknown_is_owed_at_its_ceiling(bench: Bench, server: GeminiServer) -> None:
    server.will_end("cut")
    server.will_draw()
    plan(bench)

    assert bench.run().is_completed()
    ceiling = (Decimal(len(SENT) + 2048) / 2 + MAX_OUTPUT_TOKENS * 60) / 1_000_000
    assert attempts() == [(1, "failed", "interrupted", ceiling), (2, "completed", None, COST)]


def test_a_cap_below_the_ceiling_stops_before_the_call(bench: Bench, server: GeminiServer) -> None:
    plan(bench)

    beside = bench.run_beside(cost_cap_usd="0.1")
    refuse_top_up()

    assert beside.end().is_failed()
    assert server.requests == []
    assert [attempt[1:3] for attempt in attempts()] == [("failed", "budget")]
    assert rows("SELECT count(*) FROM usage_entries") == [(0,)]


@pytest.mark.parametrize(
    "parameters", [{"model": "gemini-9-ultra"}, {"aspect_ratio": "5:1"}, {"prompt": "x" * (LONGEST_PROMPT_BYTES + 1)}]
)
def test_a_plan_with_other_parameters_is_refused(
    bench: Bench, server: GeminiServer, parameters: dict[str, object]
) -> None:
    plan(bench, **parameters)

    assert bench.run().is_failed()
    assert server.requests == []
    assert rows("SELECT count(*) FROM agent_invocations") == [(0,)]


def test_a_prompt_that_becomes_too_long_is_refused_before_anything_is_reserved(
    bench: Bench, server: GeminiServer
) -> None:
    bench.plan(step("place", text="x" * 9000), image(prompt="{{ place.text }}{{ place.text }}"))

    assert bench.run().is_failed()
    assert server.requests == []
    assert [attempt[1:3] for attempt in attempts()] == [("failed", "inputs")]
    ((summary,),) = rows("SELECT error_summary FROM agent_invocations WHERE step_id = 'cover'")
    assert "bytes of UTF-8; at most 16,000 are sent" in summary
    assert rows("SELECT count(*) FROM usage_entries") == [(0,)]


def test_a_model_without_a_price_is_not_asked(
    bench: Bench, server: GeminiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unpriced(*_: object, **__: object) -> Decimal:
        raise UnpricedModel(IMAGE_MODEL)

    monkeypatch.setattr("maos.tariffs.Tariff.image_ceiling_of", unpriced)
    plan(bench)

    assert bench.run().is_failed()
    assert server.requests == []
    assert rows("SELECT count(*) FROM usage_entries") == [(0,)]


def test_without_a_key_the_run_is_a_rehearsal_and_its_picture_says_so(bench: Bench) -> None:
    plan(bench)

    assert bench.run().is_completed()
    assert rows("SELECT rehearsal FROM orchestrator_runs") == [(True,)]
    assert attempts() == [(1, "completed", None, Decimal(0))]
    picture_made = Image.open(BytesIO(made().read_bytes()))
    assert picture_made.size == (1024, 768)
    assert picture_made.info["Comment"].startswith("REHEARSAL")
    ((output,),) = rows("SELECT output FROM agent_invocations WHERE step_id = 'cover'")
    assert output["rehearsed"] is True
    assert "demo-cover" in shown_images()


def test_a_plan_without_images_needs_no_key_of_the_image_engine(bench: Bench) -> None:
    bench.plan(step("place", text="dusk"))

    assert bench.run().is_completed()
    assert rows("SELECT rehearsal FROM orchestrator_runs") == [(False,)]


def test_a_run_is_rehearsed_when_any_engine_that_it_uses_has_no_key(
    bench: Bench,  # noqa: ARG001 - puts the image engine into Prefect
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ClaudeEngine().save("default", overwrite=True)
    writing = step("write").model_copy(update={"engine": EngineType.CLAUDE_CLI})
    both, none = Plan(steps=(writing, image())), Plan(steps=(step("place"),))

    assert engines_without_key(both) == (EngineType.CLAUDE_CLI, EngineType.GEMINI_IMAGE)

    monkeypatch.setenv("MAOS_GEMINI_API_KEY", KEY)

    assert engines_without_key(both) == (EngineType.CLAUDE_CLI,)
    assert engines_without_key(Plan(steps=(image(),))) == ()
    assert engines_without_key(none) == ()


def test_no_image_can_cost_more_than_its_plan_says() -> None:
    made_plan = Plan(steps=(step("place"), image()))
    planned = planned_ceilings(made_plan, Tariff(at=datetime.now(UTC)))

    # 16,000 bytes of prompt, 16 of the persona and 2,048 tokens of overhead; three tries.
    assert planned == {"cover": 3 * (Decimal(18_064) / 2 + MAX_OUTPUT_TOKENS * 60) / 1_000_000}


def test_a_reviewer_is_told_what_all_tries_can_cost(bench: Bench, server: GeminiServer) -> None:
    plan(bench)
    beside = bench.run_beside(autonomy="supervised")
    wait_for(pending)
    answer_form(only_run_id(), decision="approve", reviewer=REVIEWER)
    asked = wait_for(lambda: [approval for approval in pending() if approval.step_id == "cover"])
    answer_form(only_run_id(), decision="reject", reviewer=REVIEWER, note="seen enough")
    beside.end()

    one_try = (Decimal(len(SENT) + 2048) / 2 + MAX_OUTPUT_TOKENS * 60) / 1_000_000
    assert asked[0].cost_ceiling_usd == 3 * one_try
    assert server.requests == []


def test_an_organisation_is_charged_what_was_agreed_and_operators_see_the_list(
    bench: Bench, server: GeminiServer, org_id: UUID
) -> None:
    agreed = PriceOverride(
        id=UUID(int=7),
        model="gemini-*",
        rates={},
        markup_percent=Decimal(50),
        effective_from=datetime.now(UTC),
        set_by="owner@demo.example",
        set_at=datetime.now(UTC) - timedelta(seconds=1),
    )
    set_override(agreed, org_id=org_id)
    server.will_draw()
    plan(bench)

    assert bench.run(cost_cap_usd="1").is_completed()
    charged = COST * Decimal("1.5")
    assert rows("SELECT cost_usd FROM agent_invocations WHERE step_id = 'cover'") == [(charged,)]
    assert rows("SELECT reserved, spent FROM budget_standings") == [(0, charged)]
    ((listed, source),) = rows("SELECT list_cost_usd, price_snapshot FROM invocation_vendor_details")
    assert listed == COST
    assert source.endswith(f"; override {agreed.id}")
    one_try = (Decimal(len(SENT) + 2048) / 2 + MAX_OUTPUT_TOKENS * 60) / 1_000_000
    assert rows("SELECT token_cost_estimate FROM agent_invocations WHERE step_id = 'cover'") == [
        (one_try * Decimal("1.5"),)
    ]
    assert [(each.finding, each.now_usd) for each in review_costs(CallFilter())] == [(Finding.SAME, charged)]


def test_a_run_that_is_cancelled_in_the_middle_of_a_call_asks_for_no_other_image(
    bench: Bench, server: GeminiServer
) -> None:
    GeminiImageEngine(timeout_seconds=3).save("default", overwrite=True)
    server.will_end("stall")
    server.will_draw()
    plan(bench)
    beside = bench.run_beside()
    wait_for(lambda: server.requests)

    cancel_the_run()

    assert not beside.end().is_completed()
    assert len(server.requests) == 1
    assert rows("SELECT status FROM orchestrator_runs") == [("cancelled",)]
    # Whether it was drawn is not known: it counts at its ceiling.
    assert rows("SELECT status, error_kind, cost_usd > 0 FROM agent_invocations WHERE step_id = 'cover'") == [
        ("failed", "process_died", True)
    ]
