"""The `gemini_image` engine: one image of a locked model, as a file of the run."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from prefect import get_run_logger, task

from blocks.gemini_image import GeminiImageEngine
from maos.actions import StepOutcome
from maos.engines import EngineType
from maos.images import (
    IMAGE_MODEL,
    MAX_OUTPUT_TOKENS,
    MOST_REFERENCES,
    CreatedImage,
    ImageParameters,
    digest_of_prompt,
    longest_prompt_bytes,
    most_sent,
    prompt_of,
)
from maos.plans import Plan, PlanStep
from maos.pricing import most_prompt_tokens
from maos.settings import load_settings
from maos.tariffs import Tariff
from tasks.artifacts import show_artifacts
from tasks.attempts import Attempt
from tasks.engines import image_engine
from tasks.files import write_file
from tasks.illustrator import call_illustrator
from tasks.images import Picture, checked_png, rehearsed_png
from tasks.options import ENGINE_OPTIONS
from tasks.payloads import Payload
from tasks.reference_images import reference_png
from tasks.secrecy import discreet
from tasks.slots import engine_slot
from tasks.steps import StepOrder, run_folder, take_up, task_run_id
from tasks.tariffs import tariff_of


@task(tags={EngineType.GEMINI_IMAGE.tag}, **ENGINE_OPTIONS)
@discreet()
def run_gemini_image(order: StepOrder) -> None:
    """Have one image made; in a rehearsal it is drawn by rule."""
    payload = take_up(order)
    outcome = _rehearse(payload) if payload.run.rehearsal else _create(payload)
    show_artifacts(payload.run, outcome)


def _rehearse(payload: Payload) -> StepOutcome:
    _references(payload)
    with Attempt(payload, task_run_id=task_run_id()) as attempt:
        # By its step, too: pictures of one prompt are told apart.
        seed = digest_of_prompt(f"{_prompt(payload)}\n{payload.step.id}")
        picture = rehearsed_png(seed, _parameters(payload).aspect_ratio)
        outcome = _outcome(payload, picture, "Rehearsal: drawn by rule, no engine was called.")
        attempt.complete(outcome)
    return outcome


def _create(payload: Payload) -> StepOutcome:
    # Before the attempt begins: a reference that is gone or changed has cost nothing.
    references = _references(payload)
    engine = image_engine().within(payload.timeout_seconds)
    with engine_slot(payload.run, EngineType.GEMINI_IMAGE):
        return _ask(payload, engine, references)


def _ask(payload: Payload, engine: GeminiImageEngine, references: Sequence[bytes]) -> StepOutcome:
    prompt, tariff = _prompt(payload), tariff_of(payload.run.org_id)
    size = most_sent(len(prompt.encode()), len(references))
    ceiling, tokens = _ceiling(size, tariff), most_prompt_tokens(size) + MAX_OUTPUT_TOKENS
    with Attempt(
        payload, ceiling_usd=ceiling, ceiling_tokens=tokens, tariff=tariff, task_run_id=task_run_id()
    ) as attempt:
        get_run_logger().info("the illustrator is asked for an image of %s", _parameters(payload).aspect_ratio)
        reply = call_illustrator(engine, prompt, _parameters(payload).aspect_ratio, references)
        attempt.spend(reply)
        picture = checked_png(reply.content, reply.media_type)
        outcome = _outcome(payload, picture, f"An image of {picture.width} by {picture.height} pixels.")
        attempt.complete(outcome)
    return outcome


def _outcome(payload: Payload, picture: Picture, summary: str) -> StepOutcome:
    file = write_file(run_folder(payload.run), f"images/{payload.step.id}.png", picture.png, "image/png")
    created = CreatedImage(
        file=file,
        prompt_digest=digest_of_prompt(_prompt(payload)),
        width=picture.width,
        height=picture.height,
        rehearsed=payload.run.rehearsal,
    )
    return StepOutcome(output=created.model_dump(mode="json"), summary=summary, artifacts=(file,))


def step_ceiling(payload: Payload) -> Decimal:
    """Return what the step can cost at most, every try included, in USD."""
    if payload.run.rehearsal:
        return Decimal(0)
    return payload.step.retry.attempts * _ceiling(_most_sent(payload), tariff_of(payload.run.org_id))


def planned_ceilings(plan: Plan, tariff: Tariff) -> dict[str, Decimal]:
    """Return what each image of a plan can cost at most, before anything its step reads is known, in USD."""
    return {
        step.id: step.retry.attempts
        * _ceiling(most_sent(longest_prompt_bytes(step.agent.persona), _planned_references(step)), tariff)
        for step in plan.steps
        if step.engine is EngineType.GEMINI_IMAGE
    }


def ceilings_of_try() -> dict[str, Decimal]:
    """Return what one try can cost at most, in USD, under the one name that its model has here."""
    most = most_sent(longest_prompt_bytes(""), MOST_REFERENCES)
    return {"image": _ceiling(most, Tariff(at=datetime.now(UTC)))}


def _planned_references(step: PlanStep) -> int:
    named = step.parameters.get("references", ())
    # A plan that names something else is refused for it elsewhere.
    return len(named) if isinstance(named, list | tuple) else 0


def _most_sent(payload: Payload) -> int:
    return most_sent(len(_prompt(payload).encode()), len(_parameters(payload).references))


def _ceiling(sent_bytes: int, tariff: Tariff) -> Decimal:
    return tariff.image_ceiling_of(sent_bytes=sent_bytes, max_output_tokens=MAX_OUTPUT_TOKENS, model=IMAGE_MODEL)


def _prompt(payload: Payload) -> str:
    return prompt_of(_parameters(payload), persona=payload.step.agent.persona)


def _references(payload: Payload) -> list[bytes]:
    shown, settings = _parameters(payload).references, load_settings()
    return [reference_png(each, org=payload.run.org, settings=settings) for each in shown]


def _parameters(payload: Payload) -> ImageParameters:
    return ImageParameters.model_validate(payload.parameters)
