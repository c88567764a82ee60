"""A reviewer in a real browser: reads the form of a suspended run and answers it."""

import base64
import json
import os
import re
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright
from pyotp import TOTP

from tests.end_to_end.conftest import Maos, wait_for

REVIEWER, OWNER = "reviewer@demo.example", "owner@demo.example"
_QUIET = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
          "--disable-component-update", "--disable-sync")  # fmt: skip


@pytest.fixture(scope="module")
def page(maos: Maos) -> Iterator[Page]:
    """A page of a browser that is logged in to the Prefect UI."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        reason = "NOT PROVED: the Prefect UI in a browser, because no Chromium is installed"
        pytest.fail(reason) if os.environ.get("MAOS_PROVE_ALL") else pytest.skip(reason)
    login = base64.b64encode(maos.connection()["prefect_api_auth_string"].encode()).decode()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_QUIET))
        opened = browser.new_page(viewport={"width": 1400, "height": 1250})
        opened.add_init_script(f"localStorage.setItem('prefect-password', '{login}')")
        opened.set_default_timeout(120_000)
        if not os.environ.get("MAOS_SCREENSHOTS"):
            # Drawn anew without end, by the processors that the run itself needs; nothing is asserted of it.
            opened.route("**/flow_runs/*/graph*", lambda route: route.abort())
        yield opened
        browser.close()


def _open_form(page: Page, maos: Maos, run_id: str) -> None:
    base = maos.connection()["prefect_api_url"].removesuffix("/api")
    page.goto(f"{base}/runs/flow-run/{run_id}")
    page.get_by_role("button", name="Resume").first.click()
    page.get_by_text("What will be published").or_(page.get_by_text("Publish the report")).first.wait_for()


def _answer(
    page: Page, *, decision: str, reviewer: str, note: str = "", code: str = "", edited: str = "", shot: str = ""
) -> None:
    dialog = page.get_by_role("dialog")
    # By key: the picker opens on focus and a scripted click would close it again.
    dialog.locator(".p-select-button__control").first.press(" ")
    page.locator(".p-select-option").get_by_text(decision, exact=True).first.click()
    boxes = dialog.get_by_role("textbox")
    for place, text in enumerate((reviewer, code, note, edited)):
        if text:
            boxes.nth(place).fill(text)
    if shot and (folder := os.environ.get("MAOS_SCREENSHOTS")):
        page.screenshot(path=f"{folder}/{shot}.png")
    dialog.get_by_role("button", name="Submit").click()
    dialog.wait_for(state="hidden")
    # The page of a run is drawn without end, by the processors that everything else needs.
    page.goto("about:blank")


def test_a_reviewer_reads_the_form_and_approves(page: Page, maos: Maos) -> None:
    run_id = maos.start_report()
    _open_form(page, maos, run_id)
    text = page.get_by_role("dialog").inner_text()
    assert "high" in text
    assert "author@demo.example" in text
    assert "Needed unless you approve or edit" in text
    assert "one-time code" in text
    if folder := os.environ.get("MAOS_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/approval-form.png")

    _answer(page, decision="approve", reviewer=REVIEWER, note="read and approved")

    shown = maos.shown(run_id, "completed_at IS NOT NULL")
    assert shown["status"] == "completed"
    (approval,) = shown["approvals"]
    assert (approval["decided_by"], approval["decided_via"], approval["note"]) == (
        REVIEWER,
        "form",
        "read and approved",
    )


def test_a_refused_answer_comes_back_with_the_reason_and_a_rejection_ends_the_run(page: Page, maos: Maos) -> None:
    run_id = maos.start_report()
    _open_form(page, maos, run_id)
    _answer(page, decision="approve", reviewer="author@demo.example")
    wait_for(lambda: maos.rows(f"SELECT 1 FROM orchestrator_runs WHERE id = '{run_id}' AND gate_round = 2"))
    wait_for(lambda: maos.prefect("GET", f"/flow_runs/{run_id}")["state"]["name"] == "Suspended")

    _open_form(page, maos, run_id)
    assert "Your last answer was refused" in page.get_by_role("dialog").inner_text()
    _answer(page, decision="reject", reviewer=REVIEWER, note="not like this")

    shown = maos.shown(run_id, "completed_at IS NOT NULL")
    assert shown["status"] == "cancelled"
    assert not (maos.home / "artifacts" / "demo" / run_id / "published").exists()


def _asked_again(maos: Maos, run_id: str, *, round_: int) -> None:
    wait_for(lambda: maos.rows(f"SELECT 1 FROM orchestrator_runs WHERE id = '{run_id}' AND gate_round = {round_}"))
    wait_for(lambda: maos.prefect("GET", f"/flow_runs/{run_id}")["state"]["name"] == "Suspended")


def test_a_wrong_code_brings_the_form_back_and_the_right_one_proves_who_decides(page: Page, maos: Maos) -> None:
    printed = maos.run("reviewers", "enroll", OWNER, "--as", OWNER, "--no-confirm")
    secret = re.search(r"\b[A-Z2-7]{32}\b", printed.replace(" ", ""))
    assert secret is not None, printed
    run_id = maos.start_report()
    _open_form(page, maos, run_id)
    right = TOTP(secret.group()).now()
    _answer(page, decision="approve", reviewer=OWNER, code="000000" if right != "000000" else "111111")
    _asked_again(maos, run_id, round_=2)
    assert maos.rows(f"SELECT status FROM agent_pending_actions WHERE run_id = '{run_id}'") == [("pending",)]

    _open_form(page, maos, run_id)
    assert "wrong code; 4 more in a row" in page.get_by_role("dialog").inner_text()
    _answer(page, decision="approve", reviewer=OWNER, code=TOTP(secret.group()).now(), shot="approval-code")

    wait_for(lambda: maos.json("runs", "show", run_id)["completed_at"])
    decided = maos.rows(
        f"SELECT status, decided_by, identity_verified FROM agent_pending_actions WHERE run_id = '{run_id}'"
    )
    assert decided == [("approved", OWNER, True)]


def test_an_edit_in_the_form_is_what_is_published(page: Page, maos: Maos) -> None:
    run_id = maos.start_report()
    _open_form(page, maos, run_id)

    # What looks like a template or a block of Prefect's is text.
    title = "{{ 7 * 7 }} of May"
    _answer(page, decision="edit", reviewer=REVIEWER, edited=json.dumps({"title": title}), shot="approval-edit")

    wait_for(lambda: maos.json("runs", "show", run_id)["completed_at"])
    ((decision, revision, parameters),) = maos.rows(
        f"SELECT decision, revision, payload->'parameters' FROM agent_pending_actions WHERE run_id = '{run_id}'"
    )
    assert (decision, revision, parameters["title"]) == ("edit", 2, title)
    published = (maos.home / "artifacts" / "demo" / run_id / "published" / "report.html").read_text()
    assert title in published
    assert "49 of May" not in published


def test_what_prefect_hydrates_is_text_by_the_time_anybody_reads_it(maos: Maos) -> None:
    run_id = maos.start_report()
    # The server renders this for whoever may resume runs; nothing of ours renders what comes of it once more.
    note = {"__prefect_kind": "jinja", "template": "{{ 7 * 7 }} {{ '{{' }} 7 * 7 }}"}
    form = {"decision": "reject", "reviewer": REVIEWER, "note": note}

    maos.prefect("POST", f"/flow_runs/{run_id}/resume", {"run_input": form})

    wait_for(lambda: maos.json("runs", "show", run_id)["completed_at"])
    decided = maos.rows(f"SELECT status, decided_by, note FROM agent_pending_actions WHERE run_id = '{run_id}'")
    assert decided == [("rejected", REVIEWER, "49 {{ 7 * 7 }}")]


def test_the_plan_is_a_picture_that_shows_how_far_the_run_is(page: Page, maos: Maos) -> None:
    run_id = maos.start_report()
    asked = {"artifacts": {"flow_run_id": {"any_": [run_id]}, "key": {"any_": ["demo-plan-graph"]}}}
    (artifact,) = maos.prefect("POST", "/artifacts/filter", asked)
    drawn = base64.b64decode(artifact["data"].partition(",")[2]).decode()
    base = maos.connection()["prefect_api_url"].removesuffix("/api")

    page.goto(f"{base}/artifacts/artifact/{artifact['id']}")
    picture = page.locator("img[src^='data:image/svg']").first
    picture.wait_for()

    assert picture.evaluate("image => image.naturalWidth") > 300
    assert "waits for a person" in drawn
    assert drawn.count("✓") >= 4
    if folder := os.environ.get("MAOS_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/plan-in-prefect.png")


def test_the_run_form_offers_every_field_of_the_request(page: Page, maos: Maos) -> None:
    base = maos.connection()["prefect_api_url"].removesuffix("/api")
    deployment = maos.prefect("GET", "/deployments/name/generate-report/generate-report")
    page.goto(f"{base}/deployments/deployment/{deployment['id']}/run")

    for field in ("Organisation", "Initiator", "Title", "Autonomy", "Cost cap in USD", "Data set", "Measures"):
        page.get_by_text(field).first.wait_for()
