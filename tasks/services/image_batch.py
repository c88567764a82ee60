"""Brings the pictures of a request together on a contact sheet, and publishes them with a manifest."""

from collections.abc import Sequence

from maos.actions import ArtifactRef, StepOutcome
from maos.effects import Effect, EffectKind
from maos.engines import EngineType
from maos.errors import InputMismatch
from maos.failures import FailureKind
from maos.image_batch import (
    ImageBatch,
    ImageManifest,
    MadePicture,
    ManifestedReference,
    MissingPicture,
    PublishedImages,
)
from maos.image_plan import CollectParameters, PublishImagesParameters, image_id
from maos.image_refusals import reason_of
from maos.image_view import missing_in_words, page_of, preview_of
from maos.images import CreatedImage
from maos.risk import RiskLevel
from sql import invocations
from sql.session import org_session
from tasks.contact_sheets import Cell, contact_sheet, thumbnail_of
from tasks.files import read_file, write_file
from tasks.ledger import find_run
from tasks.outages import outlasting
from tasks.services.registry import ServiceCall, internal_service

_PNG = "image/png"
SHEET = "contact-sheet.png"
MANIFEST, PAGE = "published/manifest.json", "published/pictures.md"


@internal_service(
    action="collect_images",
    risk=RiskLevel.LOW,
    title="Bring pictures together on a contact sheet, with the reason for each that is missing.",
    parameters=CollectParameters,
    open_inputs=True,
    output=ImageBatch,
    read_only=True,
    # Why a picture is missing stands in the ledger.
    apart=False,
)
def collect_images(call: ServiceCall[CollectParameters]) -> StepOutcome:
    """Make a thumbnail of each picture and a sheet of them all."""
    asked = call.parameters
    made = {number: _created(call, number) for number in range(1, asked.count + 1)}
    pictures = tuple(_made(call, number, image) for number, image in made.items() if image)
    missing = tuple(_missing(call, number) for number, image in made.items() if image is None)
    if not pictures:
        raise InputMismatch("images", f"none was made ({missing_in_words(missing)})")
    sheet = _sheet(call, SHEET, pictures, missing)
    batch = ImageBatch(
        prompt=asked.prompt, references=asked.references, pictures=pictures, missing=missing, sheet=sheet
    )
    said = f"; missing: {missing_in_words(missing)}" if missing else ""
    return StepOutcome(
        output=batch.model_dump(mode="json"),
        summary=f"{len(pictures)} of {asked.count} pictures on a contact sheet{said}.",
        artifacts=(sheet, *(picture.thumbnail for picture in pictures)),
    )


def preview(call: ServiceCall[PublishImagesParameters]) -> str:
    """Return what a reviewer is asked to let out, in Markdown."""
    batch, chosen = _chosen(call)
    places = (*(_published(picture) for picture in chosen), f"published/{SHEET}", MANIFEST, PAGE)
    return preview_of(batch, leave_out=call.parameters.leave_out, rehearsal=call.run.rehearsal, places=places)


@internal_service(
    action="publish_images",
    risk=RiskLevel.HIGH,
    title="Publish the pictures with thumbnails, contact sheet and manifest in the run's folder.",
    parameters=PublishImagesParameters,
    inputs={"batch": ImageBatch},
    output=PublishedImages,
    # The same bytes at places made from numbers.
    effect=Effect(kind=EffectKind.PUBLISH, repeatable=True),
    preview=preview,
)
def publish_images(call: ServiceCall[PublishImagesParameters]) -> StepOutcome:
    """Write what was approved; doing it again writes the same bytes."""
    batch, chosen = _chosen(call)
    pictures = tuple(_let_out(call, picture) for picture in chosen)
    # Only what is let out is on it: what was left out shall not be seen there either.
    sheet = _sheet(call, f"published/{SHEET}", chosen, batch.missing)
    manifest = _manifest(call, batch, pictures, sheet)
    content = manifest.model_dump_json(indent=2).encode()
    listed = write_file(call.folder, MANIFEST, content, "application/json")
    page = write_file(call.folder, PAGE, page_of(manifest).encode(), "text/markdown")
    files = tuple(picture.file for picture in pictures)
    published = PublishedImages(
        title=manifest.title, pictures=files, missing=batch.missing, contact_sheet=sheet, manifest=listed
    )
    return StepOutcome(
        output=published.model_dump(mode="json"),
        summary=f"Published {len(files)} pictures with {MANIFEST}.",
        artifacts=(*files, *(picture.thumbnail for picture in pictures), sheet, listed, page),
    )


def _created(call: ServiceCall[CollectParameters], number: int) -> CreatedImage | None:
    name = image_id(number)
    if name not in call.inputs:
        raise InputMismatch(name, f"the plan binds no picture {number}")
    value = call.inputs[name]
    return None if value is None else CreatedImage.model_validate(value)


def _made(call: ServiceCall[CollectParameters], number: int, image: CreatedImage) -> MadePicture:
    small = thumbnail_of(read_file(call.folder, image.file))
    return MadePicture(
        number=number,
        file=image.file,
        thumbnail=write_file(call.folder, f"thumbnails/{_name(number)}-small.png", small, _PNG),
        prompt_digest=image.prompt_digest,
        width=image.width,
        height=image.height,
        engine=EngineType.GEMINI_IMAGE.label,
        rehearsed=image.rehearsed,
    )


def _missing(call: ServiceCall[CollectParameters], number: int) -> MissingPicture:
    kind, detail = _last_failure(call, image_id(number))
    return MissingPicture(number=number, kind=kind, reason=reason_of(kind, detail))


@outlasting
def _last_failure(call: ServiceCall[CollectParameters], step_id: str) -> tuple[FailureKind, str]:
    run = find_run(call.run.run_id)
    if run is None:
        raise InputMismatch("images", "their run is gone")
    with org_session(run.org_id) as session:
        return invocations.last_failure(run.id, step_id, session=session) or (FailureKind.SERVICE_ERROR, "")


def _sheet(
    call: ServiceCall[CollectParameters] | ServiceCall[PublishImagesParameters],
    name: str,
    pictures: Sequence[MadePicture],
    missing: Sequence[MissingPicture],
) -> ArtifactRef:
    cells = {
        each.number: Cell(f"{each.number}   {each.width} x {each.height}", png=read_file(call.folder, each.file))
        for each in pictures
    } | {each.number: Cell(f"{each.number}   not made", reason=each.reason) for each in missing}
    ordered = [cells[number] for number in sorted(cells)]
    return write_file(call.folder, name, contact_sheet(ordered, rehearsal=call.run.rehearsal), _PNG)


def _chosen(call: ServiceCall[PublishImagesParameters]) -> tuple[ImageBatch, tuple[MadePicture, ...]]:
    batch, leave_out = ImageBatch.model_validate(call.inputs["batch"]), call.parameters.leave_out
    numbers = [picture.number for picture in batch.pictures]
    if strangers := sorted(set(leave_out) - set(numbers)):
        raise InputMismatch("leave_out", f"no picture {strangers[0]}; pictures: {', '.join(map(str, numbers))}")
    if not (chosen := batch.chosen(leave_out)):
        raise InputMismatch("leave_out", "every picture; to publish none, reject")
    return batch, chosen


def _let_out(call: ServiceCall[PublishImagesParameters], picture: MadePicture) -> MadePicture:
    file = write_file(call.folder, _published(picture), read_file(call.folder, picture.file), _PNG)
    small = read_file(call.folder, picture.thumbnail)
    thumbnail = write_file(call.folder, f"published/thumbnails/{_name(picture.number)}-small.png", small, _PNG)
    return picture.model_copy(update={"file": file, "thumbnail": thumbnail})


def _manifest(
    call: ServiceCall[PublishImagesParameters],
    batch: ImageBatch,
    pictures: tuple[MadePicture, ...],
    sheet: ArtifactRef,
) -> ImageManifest:
    return ImageManifest(
        title=call.parameters.title,
        run_id=call.run.run_id,
        org=call.run.org,
        rehearsal=call.run.rehearsal,
        prompt_digest=pictures[0].prompt_digest,
        references=tuple(ManifestedReference(sha256=each.digest) for each in batch.references),
        pictures=pictures,
        missing=batch.missing,
        left_out=call.parameters.leave_out,
        contact_sheet=sheet,
    )


def _published(picture: MadePicture) -> str:
    return f"published/{_name(picture.number)}.png"


def _name(number: int) -> str:
    return f"image-{number:02}"
