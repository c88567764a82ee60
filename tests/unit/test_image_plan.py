"""The entrypoint `create_image`: what may be asked, its plan, and what is said of pictures that are missing."""

import json
from uuid import UUID

import pytest
from pydantic import ValidationError

from maos.actions import ArtifactRef
from maos.engines import EngineType
from maos.failures import FailureKind
from maos.image_batch import ImageBatch, ImageManifest, MadePicture, MissingPicture
from maos.image_plan import COLLECT, PUBLISH, image_id, image_plan
from maos.image_refusals import reason_of
from maos.image_request import MOST_IMAGES, CreateImageRequest
from maos.image_view import page_of, preview_of
from maos.images import (
    LONGEST_PROMPT_BYTES,
    MOST_REFERENCES,
    REFERENCE_TOKENS,
    ImageParameters,
    ReferenceImage,
    most_sent,
)
from maos.plans import OnFailure
from maos.rendering import literal, rendered

LOGO = ReferenceImage(file="logo.png", digest="a" * 64)
VENDOR_WORDS = ("gemini", "google", "banana")


def asked(**fields: object) -> CreateImageRequest:
    given = {"org": "demo", "initiator": "author@demo.example", "title": "Cover", "prompt": "A lighthouse"} | fields
    return CreateImageRequest.model_validate(given)


def test_every_picture_has_a_step_and_all_of_them_one_publication() -> None:
    plan = image_plan(asked(count=3, aspect_ratio="16:9"), [LOGO])

    assert [step.id for step in plan.steps] == ["image_01", "image_02", "image_03", COLLECT, PUBLISH]
    assert [step.id for step in plan.last_steps] == [PUBLISH]
    assert not any(step.depends_on for step in plan.steps[:3])
    assert plan.step(COLLECT).depends_on == {"image_01", "image_02", "image_03"}
    assert plan.step(PUBLISH).inputs == {"batch": COLLECT}
    assert {step.engine for step in plan.steps[:3]} == {EngineType.GEMINI_IMAGE}
    for step in plan.steps[:3]:
        assert ImageParameters.model_validate(step.parameters).references == (LOGO,)


def test_a_picture_that_fails_keeps_no_other_from_being_published() -> None:
    plan = image_plan(asked(count=2), [])

    assert {step.on_failure for step in plan.steps[:2]} == {OnFailure.CONTINUE}
    assert {step.on_failure for step in plan.steps[2:]} == {OnFailure.FAIL}


def test_the_same_request_has_the_same_plan() -> None:
    assert image_plan(asked(count=4), [LOGO]).digest == image_plan(asked(count=4), [LOGO]).digest


@pytest.mark.parametrize(
    "prompt",
    [
        "A lighthouse",
        "A sign that says {{ sale }}",
        "{% raw %} and {# what is this #}",
        "{{{% nested {{ }} %}",
        "Set notation {x | x > 0}",
        "{{ place.text }}",
        "'{' \"{{\" \\{{",
    ],
)
def test_a_prompt_is_sent_by_the_letter(prompt: str) -> None:
    plan = image_plan(asked(prompt=prompt), [])

    assert rendered(plan.step(image_id(1)).parameters, ImageParameters, {})["prompt"] == prompt
    assert plan.step(COLLECT).parameters["prompt"] == prompt


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", ""),
        ("prompt", " \n "),
        ("prompt", "é" * (LONGEST_PROMPT_BYTES // 2 + 1)),
        ("prompt", "{{" * 1000),
        ("aspect_ratio", "5:1"),
        ("count", 0),
        ("count", MOST_IMAGES + 1),
        ("references", [f"{number}.png" for number in range(MOST_REFERENCES + 1)]),
        ("references", [""]),
        ("model", "another"),
    ],
)
def test_what_cannot_be_made_is_refused_in_the_form(field: str, value: object) -> None:
    with pytest.raises(ValidationError) as refused:
        asked(**{field: value})

    assert refused.value.errors()[0]["loc"][0] == field


def test_the_form_names_every_field_and_offers_the_shapes() -> None:
    form = CreateImageRequest.model_json_schema()

    assert all({"title", "description"} <= field.keys() for field in form["properties"].values())
    assert form["properties"]["aspect_ratio"]["enum"] == ["1:1", "2:3", "3:2", "3:4", "4:3", "9:16", "16:9", "21:9"]
    assert "model" not in json.dumps(form)


def test_a_prompt_is_one_text_however_its_lines_end() -> None:
    assert asked(prompt=" A lighthouse\r\nat dusk\r\n\n").prompt == "A lighthouse\nat dusk"


def test_braces_are_the_only_thing_that_is_written_differently() -> None:
    assert literal("A lighthouse {at dusk}") == "A lighthouse {at dusk}"
    assert literal("{{ x }}") != "{{ x }}"


def test_references_count_at_what_they_cost_at_most() -> None:
    assert most_sent(100, 0) == 100
    assert most_sent(100, MOST_REFERENCES) == 100 + MOST_REFERENCES * REFERENCE_TOKENS


@pytest.mark.parametrize(
    ("detail", "reason"),
    [
        (
            "declined: the prompt was blocked: PROHIBITED_CONTENT",
            "the prompt was refused: it shows what may not be shown",
        ),
        ("declined: the prompt was blocked: OTHER", "the prompt was refused"),
        ("declined: the engine stopped: IMAGE_SAFETY", "the picture was refused: it would not be safe"),
        ("declined: the engine stopped: SPII", "the picture was refused: it holds personal data"),
        (
            "declined: the engine stopped: IMAGE_RECITATION",
            "the picture was refused: it is too close to an existing work",
        ),
        ("declined: the engine stopped: GEMINI_SAYS_NO", "the picture was refused"),
        ("", "the picture was refused"),
    ],
)
def test_a_refusal_has_a_reason_that_repeats_nothing_of_the_engine(detail: str, reason: str) -> None:
    assert reason_of(FailureKind.DECLINED, detail) == reason


@pytest.mark.parametrize("kind", FailureKind)
def test_every_failure_has_words_that_name_no_vendor(kind: FailureKind) -> None:
    reason = reason_of(kind, "Gemini of Google said: SAFETY")

    assert reason
    assert not any(word in reason.lower() for word in VENDOR_WORDS)


def file(name: str) -> ArtifactRef:
    return ArtifactRef(name=name, media_type="image/png", sha256=f"{len(name):064x}", size=1234)


def made(number: int) -> MadePicture:
    return MadePicture(
        number=number,
        file=file(f"images/image_{number:02}.png"),
        thumbnail=file(f"thumbnails/image-{number:02}-small.png"),
        prompt_digest="b" * 64,
        width=64,
        height=48,
        engine=EngineType.GEMINI_IMAGE.label,
        rehearsed=False,
    )


REFUSED = MissingPicture(number=2, kind=FailureKind.DECLINED, reason="the picture was refused: it would not be safe")
BATCH = ImageBatch(prompt="A <b>lighthouse</b>", pictures=(made(1), made(3)), missing=(REFUSED,), sheet=file("s.png"))


def test_a_reviewer_reads_what_is_let_out_what_is_not_and_why() -> None:
    shown = preview_of(BATCH, leave_out=(3,), rehearsal=False, places=("published/image-01.png",))

    assert "1 picture of 3 that were asked for will be published." in shown
    assert "- picture 2: the picture was refused: it would not be safe" in shown
    assert "left out" in next(line for line in shown.splitlines() if line.startswith("| 3 "))
    assert "`published/image-01.png`" in shown
    assert "REHEARSAL" not in shown
    assert "REHEARSAL" in preview_of(BATCH, leave_out=(), rehearsal=True, places=())


def test_the_manifest_holds_what_a_reader_needs_to_check_the_files() -> None:
    manifest = ImageManifest(
        title="Cover",
        run_id=UUID(int=1),
        org="demo",
        rehearsal=True,
        prompt_digest="b" * 64,
        pictures=(made(1),),
        missing=(REFUSED,),
        left_out=(3,),
        contact_sheet=file("published/contact-sheet.png"),
    )
    told = json.loads(manifest.model_dump_json())

    assert told["pictures"][0]["file"]["sha256"] == made(1).file.sha256
    assert (told["pictures"][0]["file"]["size"], told["pictures"][0]["engine"]) == (1234, "illustrator")
    assert told["missing"][0]["reason"] == REFUSED.reason
    page = page_of(manifest)
    assert "REHEARSAL" in page
    assert "Left out: 3" in page
    assert not any(word in page.lower() + manifest.model_dump_json().lower() for word in VENDOR_WORDS)


def test_a_batch_without_any_picture_is_none() -> None:
    with pytest.raises(ValidationError):
        ImageBatch(prompt="A lighthouse", pictures=(), sheet=file("s.png"))
