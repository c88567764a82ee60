"""Pictures through their deployment: rehearsed, shown on a sheet, chosen from, published, accounted for."""

import hashlib
import json
from typing import Any

from PIL import Image

from tests.end_to_end.conftest import Maos

REVIEWER = "reviewer@demo.example"
REQUEST = "examples/create_image/request.json"
STEPS = ["collect_images", "image_01", "image_02", "image_03", "publish_images"]


def _ask(maos: Maos) -> tuple[str, str]:
    """Return a run of the example that waits, and its approval."""
    run_id = maos.run("run", "create_image", "--request", REQUEST, "--wait").split()[0]
    asked = f"SELECT step_id, id::text FROM agent_pending_actions WHERE run_id = '{run_id}' AND status = 'pending'"
    ((step, approval),) = maos.rows(asked)
    assert step == "publish_images"
    return run_id, approval


def test_the_example_is_published_as_the_manifest_says(maos: Maos) -> None:
    run_id, approval = _ask(maos)
    shown = maos.run("approvals", "show", approval)
    assert "REHEARSAL" in shown
    assert "as a linocut in two colours" in shown

    maos.run("approvals", "approve", approval, "--as", REVIEWER)
    maos.shown(run_id, "status = 'completed'")

    run = maos.json("runs", "show", run_id)
    assert sorted(row["step_id"] for row in run["invocations"]) == STEPS
    assert maos.rows(f"SELECT sum(cost_usd), bool_and(rehearsal) FROM agent_invocations WHERE run_id = '{run_id}'") == [
        (0, True)
    ]
    folder = maos.home / "artifacts" / "demo" / run_id
    manifest = json.loads((folder / "published" / "manifest.json").read_text())
    assert (manifest["rehearsal"], len(manifest["pictures"]), manifest["missing"]) == (True, 3, [])
    for picture in manifest["pictures"]:
        assert (picture["engine"], picture["rehearsed"]) == ("illustrator", True)
        for file in (picture["file"], picture["thumbnail"]):
            content = (folder / file["name"]).read_bytes()
            assert (file["size"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        with Image.open(folder / picture["file"]["name"]) as drawn:
            assert (drawn.format, drawn.size) == ("PNG", (picture["width"], picture["height"]))
            assert drawn.info["Comment"].startswith("REHEARSAL")
    with Image.open(folder / manifest["contact_sheet"]["name"]) as sheet:
        assert sheet.format == "PNG"
    shown_in_prefect: list[dict[str, Any]] = maos.prefect(
        "POST", "/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run_id]}}}
    )
    images = {each["key"] for each in shown_in_prefect if each["type"] == "image"}
    assert {"demo-contact-sheet", "demo-image-01", "demo-image-01-small"} <= images


def test_a_reviewer_leaves_a_picture_out(maos: Maos) -> None:
    run_id, approval = _ask(maos)

    maos.run("approvals", "edit", approval, "--as", REVIEWER, "--set", "leave_out=[2]", "--note", "too dark", "--yes")
    maos.shown(run_id, "status = 'completed'")

    published = maos.home / "artifacts" / "demo" / run_id / "published"
    assert sorted(path.name for path in published.glob("*.png")) == [
        "contact-sheet.png",
        "image-01.png",
        "image-03.png",
    ]
    assert json.loads((published / "manifest.json").read_text())["left_out"] == [2]
