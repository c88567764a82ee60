"""A batch of pictures as people read it: what a reviewer is asked, and what was published."""

from collections.abc import Sequence

from maos.fences import fenced
from maos.image_batch import ImageBatch, ImageManifest, MadePicture, MissingPicture
from maos.report_markdown import escaped


def preview_of(batch: ImageBatch, *, leave_out: tuple[int, ...], rehearsal: bool, places: Sequence[str]) -> str:
    """Return what a reviewer needs to decide about all pictures at once.

    Args:
        places: the files that publishing writes.
    """
    chosen = batch.chosen(leave_out)
    parts = [
        *(("**REHEARSAL** The pictures are drawn by rule; no engine was called.",) if rehearsal else ()),
        f"{_counted(chosen)} of {len(batch.pictures) + len(batch.missing)} that were asked for will be published.",
        f"All of them are on the contact sheet `{batch.sheet.name}`, an artifact of this run.",
        f"Asked for:\n\n{fenced(batch.prompt)}",
        _table(batch.pictures, leave_out),
        *_missing(batch.missing),
        "Written: " + ", ".join(f"`{place}`" for place in places),
        'To leave pictures out, edit: `{"leave_out": [2]}` publishes all but number 2.',
    ]
    return "\n\n".join(parts) + "\n"


def page_of(manifest: ImageManifest) -> str:
    """Return what was published, in Markdown."""
    parts = [
        f"# {escaped(manifest.title)}",
        *(("**REHEARSAL** The pictures are drawn by rule; no engine was called.",) if manifest.rehearsal else ()),
        f"SHA-256 of the prompt: `{manifest.prompt_digest}`",
        _table(manifest.pictures, ()),
        *_missing(manifest.missing),
        *((f"Left out: {', '.join(map(str, manifest.left_out))}",) if manifest.left_out else ()),
    ]
    return "\n\n".join(parts) + "\n"


def missing_in_words(missing: Sequence[MissingPicture]) -> str:
    """Return which pictures are missing and why, on one line."""
    return "; ".join(f"picture {each.number}: {each.reason}" for each in missing)


def _table(pictures: Sequence[MadePicture], leave_out: tuple[int, ...]) -> str:
    lines = ["| picture | pixels | bytes | SHA-256 | made by | |", "|---|---|---|---|---|---|"]
    for each in pictures:
        note = "left out" if each.number in leave_out else "rehearsed" if each.rehearsed else ""
        cells = (each.number, f"{each.width} x {each.height}", f"{each.file.size:,}", f"`{each.file.sha256[:16]}`")
        lines.append("| " + " | ".join(map(str, (*cells, each.engine, note))) + " |")
    return "\n".join(lines)


def _missing(missing: Sequence[MissingPicture]) -> tuple[str, ...]:
    if not missing:
        return ()
    lines = [f"- picture {each.number}: {escaped(each.reason)}" for each in missing]
    return ("Not made:\n\n" + "\n".join(lines),)


def _counted(pictures: Sequence[MadePicture]) -> str:
    return "1 picture" if len(pictures) == 1 else f"{len(pictures)} pictures"
