"""`maos actions` and `maos prices show` answer without a database and without Prefect."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from console.actions import actions as actions_command
from console.prices import prices
from maos.images import IMAGE_MODEL
from tasks.catalogue import actions

ROOT = Path(__file__).parent.parent.parent


def _maos(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAOS_", "PREFECT_"))}
    return subprocess.run(
        [sys.executable, "-c", "from console.main import main; main()", *arguments],
        env=kept | {"MAOS_HOME": str(home / "maos"), "PREFECT_HOME": str(home / "prefect")},
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=120,
    )


def _json(group: click.Group, *arguments: str) -> Any:
    done = CliRunner().invoke(group, [*arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_every_action_is_listed_with_its_price() -> None:
    found = {row["name"]: row for row in _json(actions_command, "list")}

    assert found.keys() == actions().keys()
    paid = {"write_narrative", "write_query", "write_answer", "answer_mail"} | {
        "write_outline",
        "draft_content",
        "revise_content",
        "create_image",
        "work_in_workspace",
        "investigate",
    }
    assert {name for name, row in found.items() if not row["free"]} == paid
    assert found["write_narrative"]["at_most_usd"].keys() == {"opus", "sonnet", "haiku"}
    assert found["publish_report"]["inputs"] == {
        "profile": "DatasetProfile",
        "metrics": "Metrics",
        "charts": "ChartSet",
        "narrative": "Narrative",
    }
    assert found["checkpoint"]["always_asks"]
    assert found["call_webhook"]["effect"] == {
        "kind": "webhook",
        "repeatable": False,
        "repeatable_if": "receiver_keeps_keys",
    }


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (("--engine", "writer"), {"write_narrative"}),
        (("--engine", "claude_cli", "--risk", "low"), {"write_narrative"}),
        (("--engine", "service", "--risk", "high"), {"send_email", "publish_report", "call_webhook"}),
        (("--engine", "internal_service"), {"profile_data", "checkpoint"}),
        (("--risk", "low"), {"profile_data", "write_narrative"}),
    ],
)
def test_a_listing_may_be_narrowed(options: tuple[str, ...], names: set[str]) -> None:
    found = _json(actions_command, "list", *options)

    assert names <= {row["name"] for row in found}
    wanted = set(options[1::2])
    assert all(wanted <= {row["engine"], row["engine_type"], row["risk"]} for row in found)


def test_an_action_is_shown_with_its_schemas() -> None:
    shown = _json(actions_command, "show", "send_email")

    assert shown["parameters_schema"] == actions()["send_email"].parameters.model_json_schema()
    assert shown["output_schema"]["title"] == "SentEmail"
    assert (shown["engine"], shown["engine_type"], shown["timeout_seconds"]) == ("service", "internal_service", 120)


def test_an_unknown_action_is_bad_input_that_names_the_known_ones(tmp_path: Path) -> None:
    done = _maos(tmp_path, "actions", "show", "fly")

    assert done.returncode == 2
    assert done.stderr.startswith("maos: action: 'fly' is not accepted; allowed: aggregate_metrics, ")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("actions", "list"), "repeatable if"),
        (("actions", "show", "call_webhook"), '"receiver_keeps_keys"'),
        (("prices", "show", "sonnet"), "cache_write_1h"),
    ],
)
def test_people_read_tables_where_nothing_runs(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    done = _maos(tmp_path, *arguments)

    assert (done.returncode, done.stderr) == (0, "")
    assert told in done.stdout
    assert not (tmp_path / "maos").exists()


def test_prices_are_shown_for_the_models_of_the_project_or_for_one() -> None:
    every, one = _json(prices, "show"), _json(prices, "show", "haiku", "--at", "2026-11-01")

    writers = {"claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5"}
    assert {row["model"] for row in every["prices"]} == writers | {IMAGE_MODEL}
    assert {row["model"] for row in every["prices"] if row["token_class"] == "image"} == {IMAGE_MODEL}
    assert every["price_list"].startswith("genai-prices ")
    assert (one["at"], one["region_factor"]) == ("2026-11-01T00:00:00+00:00", "1.1")
    assert one["prices"][0] == {
        "model": "claude-haiku-5-5",
        "token_class": "input",
        "above_prompt_tokens": 0,
        "usd_per_million": "0.1",
    }


def test_a_model_without_a_price_and_a_wrong_date_are_bad_input(tmp_path: Path) -> None:
    unknown, wrong = _maos(tmp_path, "prices", "show", "gpt"), _maos(tmp_path, "prices", "show", "--at", "yesterday")

    assert (unknown.returncode, wrong.returncode) == (2, 2)
    assert unknown.stderr.startswith("maos: model: 'gpt' is not accepted; allowed: opus, sonnet, haiku, ")
