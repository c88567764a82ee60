"""`maos billing` as an operator calls it, and what leaves in files."""

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import psycopg
import pytest
from click.testing import CliRunner, Result

from console.billing import billing
from maos.errors import BadInput
from maos.images import IMAGE_MODEL
from sql.session import system_session
from tests.billed_calls import JUNE, MAY, add_billed, add_correction
from tests.past_calls import add_call
from tests.rows import add_run

# Named by the database alone: no client may read them.
_VENDORS = ("claude", "anthropic", "gemini", "google", "genai", "opus", "sonnet")


def _maos(*arguments: str) -> Result:
    return CliRunner().invoke(billing, arguments, catch_exceptions=False)


@pytest.fixture
def june(org_id: UUID) -> UUID:
    """A run of `demo`: June bills a call of a hostile name, an image, and a correction of May, which is closed."""
    run_id = add_run(org_id, rehearsal=False)
    in_may = add_billed(org_id, run_id, "1", at=MAY)
    assert _maos("close", "--org", "demo", "--month", "2026-05").exit_code == 0
    add_correction(org_id, run_id, in_may, "-0.25", at=JUNE)
    add_billed(org_id, run_id, "0.00000001", at=JUNE, step="evil", action='=HYPERLINK("http://evil",",")')
    add_billed(org_id, run_id, "0.067", at=JUNE, step="draw", engine_type="gemini_image", action="create_image")
    return run_id


def _exported(tmp_path: Path, format_: str, *more: str) -> Path:
    file = tmp_path / f"june.{format_}"
    arguments = ("statement", "--org", "demo", "--month", "2026-06", "--format", format_, "--out", str(file), *more)
    done = _maos(*arguments)
    assert done.exit_code == 0, done.output
    assert str(file) in done.output
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [file.name]
    return file


def _parquet(file: Path, query: str) -> list[tuple[Any, ...]]:
    return duckdb.connect(":memory:").execute(query.format(file=f"read_parquet('{file}')")).fetchall()


def test_people_read_lines_and_totals(june: UUID) -> None:
    assert june

    shown = _maos("statement", "--org", "demo", "--month", "2026-06").output

    assert "demo, 2026-06: open month, may change" in shown
    assert "usage 0.06700001 USD, corrections of earlier months -0.25000000 USD" in shown
    assert shown.endswith("total -0.18299999 USD in 3 entries; payable -0.18 USD\n")


def test_closing_again_shows_the_same_statement(june: UUID) -> None:
    assert june
    first = json.loads(_maos("close", "--all", "--month", "2026-06", "--json").output)

    again = json.loads(_maos("close", "--org", "demo", "--month", "2026-06", "--json").output)

    assert [(row["statement"], row["entries"], row["total_usd"], row["done"]) for row in first] == [
        ("demo-0002", 3, "-0.18299999", "closed now")
    ]
    assert again == [first[0] | {"done": "was closed"}]
    assert "statement demo-0002" in _maos("statement", "--org", "demo", "--month", "2026-06").output


def test_lines_as_csv_hold_no_formula(june: UUID, tmp_path: Path) -> None:
    assert june
    _maos("close", "--org", "demo", "--month", "2026-06")

    with _exported(tmp_path, "csv").open(newline="") as file:
        found = list(csv.DictReader(file))

    assert [row["action"] for row in found] == ["create_image", '\'=HYPERLINK("http://evil",",")', "act"]
    assert found[2] == {
        "statement": "demo-0002",
        "org": "demo",
        "month": "2026-06",
        "section": "correction",
        "corrects_month": "2026-05",
        "engine": "writer",
        "action": "act",
        "unit": "correction",
        "quantity": "1",
        "rate_usd": "-0.25000000",
        "amount_usd": "-0.25000000",
        "entries": "1",
    }


def test_a_statement_as_json_is_the_document_that_was_frozen(june: UUID, tmp_path: Path, database: str) -> None:
    assert june
    _maos("close", "--org", "demo", "--month", "2026-06")

    found = json.loads(_exported(tmp_path, "json").read_text())

    with psycopg.connect(database) as connection:
        ((document, digest),) = connection.execute(
            "SELECT document, digest FROM billing_statements WHERE month = '2026-06-01'"
        ).fetchall()
    assert found == document | {"digest": digest}


def test_lines_as_parquet_keep_types_digits_and_words(june: UUID, tmp_path: Path) -> None:
    assert june
    file = _exported(tmp_path, "parquet")

    assert _parquet(file, "SELECT sum(amount_usd)::VARCHAR, count(*), sum(entries)::BIGINT FROM {file}") == [
        ("-0.18299999", 3, 3)
    ]
    assert _parquet(file, "SELECT action, statement FROM {file} WHERE action LIKE '=%'") == [
        ('=HYPERLINK("http://evil",",")', None)
    ]
    types = dict(_parquet(file, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {file})"))
    assert (types["amount_usd"], types["quantity"], types["entries"]) == ("DECIMAL(18,8)", "DECIMAL(24,6)", "BIGINT")


@pytest.mark.parametrize("format_", ["csv", "json", "parquet"])
def test_the_entries_behind_a_statement_add_up_to_it(june: UUID, tmp_path: Path, format_: str) -> None:
    file = _exported(tmp_path, format_, "--entries")

    if format_ == "csv":
        found = list(csv.DictReader(file.open(newline="")))
    elif format_ == "json":
        found = json.loads(file.read_text())
    else:
        columns = "kind, run_id, corrects_month, engine, unit, CAST(amount_usd AS VARCHAR) AS amount_usd"
        relation = duckdb.connect(":memory:").execute(f"SELECT {columns} FROM read_parquet('{file}')")
        names = [column[0] for column in relation.description or []]
        found = [dict(zip(names, row, strict=True)) for row in relation.fetchall()]

    kept = [tuple(row[name] or None for name in ("kind", "corrects_month", "engine", "amount_usd")) for row in found]
    assert sorted(kept, key=str) == [
        ("correct", "2026-05", "writer", "-0.25000000"),
        ("settle", None, "illustrator", "0.06700000"),
        ("settle", None, "writer", "0.00000001"),
    ]
    assert {row["run_id"] for row in found} == {str(june)}


def test_times_of_entries_are_times_in_parquet(june: UUID, tmp_path: Path) -> None:
    assert june
    file = _exported(tmp_path, "parquet", "--entries")

    found = _parquet(file, "SELECT DISTINCT typeof(recorded_at), epoch_us(recorded_at) FROM {file}")

    assert found == [("TIMESTAMP WITH TIME ZONE", int(JUNE.timestamp() * 1_000_000))]


def test_a_month_without_entries_is_exported_as_an_empty_table(june: UUID, tmp_path: Path) -> None:
    assert june
    file = tmp_path / "july.parquet"
    arguments = ("statement", "--org", "demo", "--month", "2026-07", "--format", "parquet", "--out", str(file))

    assert _maos(*arguments, "--entries").output == f"{file}: 0 rows\n"
    assert _parquet(file, "SELECT count(amount_usd) FROM {file}") == [(0,)]


def test_an_export_that_is_not_written_to_a_file_is_printed(june: UUID) -> None:
    assert june
    arguments = ("statement", "--org", "demo", "--month", "2026-06", "--format")

    assert _maos(*arguments, "csv").output.startswith("statement,org,month,")
    assert _maos(*arguments, "html").output.startswith("<!doctype html>")
    assert len(json.loads(_maos(*arguments, "json", "--entries").output)) == 3
    empty = ("statement", "--org", "demo", "--month", "2026-07", "--format")
    assert json.loads(_maos(*empty, "json", "--entries").output) == []


@pytest.mark.parametrize("more", [(), ("--entries",)])
@pytest.mark.parametrize("format_", ["csv", "json", "html", "parquet"])
def test_no_export_names_a_vendor(org_id: UUID, tmp_path: Path, format_: str, more: tuple[str, ...]) -> None:
    if (format_, more) == ("html", ("--entries",)):
        with pytest.raises(BadInput, match="csv, json or parquet"):
            _maos("statement", "--org", "demo", "--month", "2026-06", "--format", "html", *more)
        return
    run_id = add_run(org_id, rehearsal=False)
    for place, engine in enumerate(("claude_cli", "deep_agent", "gemini_image")):
        add_billed(org_id, run_id, "1", at=JUNE, step=f"s{place}", engine_type=engine)

    content = _exported(tmp_path, format_, *more).read_bytes().lower()

    assert [name for name in _VENDORS if name.encode() in content] == []


def test_an_organisation_of_a_hostile_name_has_a_harmless_page(june: UUID, tmp_path: Path) -> None:
    assert june
    with system_session() as session:
        session.connection().exec_driver_sql("UPDATE organizations SET name = '<img src=x onerror=alert(1)>'")

    page = _exported(tmp_path, "html").read_text()

    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


@pytest.mark.parametrize(
    "arguments",
    [
        ("close", "--month", "2026-05"),
        ("close", "--org", "demo", "--all", "--month", "2026-05"),
        ("statement", "--org", "demo", "--month", "2026-05", "--entries"),
        ("statement", "--org", "demo", "--month", "2026-05", "--out", "x"),
        ("statement", "--org", "demo", "--month", "2026-05", "--format", "parquet"),
        ("compare", "--vendor-csv", __file__, "--month", "2026-05", "--timezone", "UTC"),
    ],
)
def test_calls_that_cannot_be_meant_are_refused(org_id: UUID, arguments: tuple[str, ...]) -> None:
    assert org_id
    assert _maos(*arguments).exit_code == 2


def test_the_check_is_quiet_where_all_agrees_and_fails_where_not(june: UUID, database: str) -> None:
    assert june
    good = _maos("check")
    with psycopg.connect(database) as connection:
        connection.execute("UPDATE agent_invocations SET cost_usd = 2 WHERE step_id = 'act'")

    bad = _maos("check", "--org", "demo", "--json")

    assert (good.exit_code, good.output) == (0, "entries, calls and statements agree\n")
    assert bad.exit_code == 1
    assert [row["fault"] for row in json.loads(bad.output)] == ["what was settled is not its cost"]
    assert "what was settled is not its cost" in _maos("check").output


_HEADER = (
    "usage_date_utc,model_version,api_key,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,"
    "usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens\n"
)


@pytest.fixture
def called(org_id: UUID) -> UUID:
    """Two calls of one day, whose tokens are 1,000 in and 100 out each; and one without usage."""
    run_id = add_run(org_id, rehearsal=False)
    for step, begun in (("a", MAY.replace(hour=0)), ("b", MAY.replace(hour=23, minute=59))):
        detail = {"list_cost_usd": Decimal("0.0045")}
        add_call(org_id, run_id, step=step, started_at=begun, input_tokens=1000, output_tokens=100, detail=detail)
    add_call(org_id, run_id, "1", step="lost", started_at=MAY, detail={"model": None, "raw_usage": None})
    add_call(org_id, run_id, step="june", started_at=JUNE, input_tokens=1)
    return run_id


def _compared(file: Path, content: str, *more: str) -> dict[str, Any]:
    file.write_text(content)
    done = _maos("compare", "--vendor-csv", str(file), "--month", "2026-05", "--json", *more)
    found: dict[str, Any] = json.loads(done.output)
    assert done.exit_code == (1 if found["differences"] or found["unreadable"] else 0)
    return found


def test_an_export_that_agrees_has_no_differences(called: UUID, tmp_path: Path) -> None:
    assert called
    rows = (
        "2026-05-10,claude-sonnet-5-5,key 1,1500,0,0,0,200\n"
        "2026-05-10,claude-sonnet-5-5-20260401,key 2,500,0,0,0,0\n"
        "2026-06-10,claude-sonnet-5-5,key 1,1,0,0,0,0\n"
        "2026-05-10,another-model,key 1,1,0,0,0,0\n\n"
    )

    found = _compared(tmp_path / "usage.csv", _HEADER + rows)

    assert found == {
        "rows": 2,
        "rows_of_other_services": 1,
        "rows_of_other_months": 1,
        "calls_without_usage": 1,
        "unreadable": 0,
        "unreadable_lines": [],
        "differences": [],
    }


def test_differences_are_listed_by_day_and_model_and_bad_rows_by_line(called: UUID, tmp_path: Path) -> None:
    assert called
    rows = (
        "2026-05-10,claude-sonnet-5-5,k,2000,0,0,0,201\n"
        "2026-05-10,claude-sonnet-5-5,k,many,0,0,0,1\n"
        "short,row\n"
        "2026-05-12,claude-haiku-5-5,k,7,0,0,0,0\n"
    )

    found = _compared(tmp_path / "usage.csv", _HEADER + rows)

    assert [(d["day"], d["model"], d["measure"], d["ours"], d["vendors"]) for d in found["differences"]] == [
        ("2026-05-10", "claude-sonnet-5-5", "output_tokens", "200", "201"),
        ("2026-05-12", "claude-haiku-5-5", "input_tokens", "0", "7"),
    ]
    assert found["unreadable_lines"] == [
        {"line": 3, "reason": "usage_input_tokens_no_cache: 'many' is no number"},
        {"line": 4, "reason": "2 columns instead of 8"},
    ]
    shown = _maos("compare", "--vendor-csv", str(tmp_path / "usage.csv"), "--month", "2026-05")
    assert "2 rows compared, 2 lines not read" in shown.output


def test_costs_are_compared_within_the_vendors_rounding(called: UUID, tmp_path: Path) -> None:
    assert called
    header = "usage_date_utc,model,token_type,cost_usd\n"
    agrees = "2026-05-10,Claude Sonnet 5.5,output,0.01\n"

    assert _compared(tmp_path / "costs.csv", header + agrees)["differences"] == []
    (differs,) = _compared(tmp_path / "costs.csv", header + agrees.replace("0.01", "0.02"))["differences"]
    assert (differs["ours"], differs["vendors"]) == ("0.00900000", "0.02")


def test_goods_are_compared_by_the_model_in_their_name_and_totals_are_no_goods(org_id: UUID, tmp_path: Path) -> None:
    run_id = add_run(org_id, rehearsal=False)
    detail = {"model": IMAGE_MODEL, "list_cost_usd": Decimal("0.0774")}
    used = {"input_tokens": 20, "output_tokens": 1290, "engine_type": "gemini_image"}
    # In Los Angeles this is the evening of the ninth.
    add_call(org_id, run_id, step="draw", started_at=MAY.replace(hour=3), detail=detail, **used)
    content = (
        "Billing account,Usage start date,Usage end date,SKU description,Usage amount,Usage unit,Unrounded cost ($)\n"
        "a,2026-05-09,2026-05-10,Generate_content image output token count for Gemini 3.1 Flash Image,"
        '"1,290",count,0.077394\n'
        "a,2026-05-09,2026-05-10,Generate content input token count Gemini 3.1 Flash Image,20,count,0.000006\n"
        "a,2026-05-09,2026-05-09,Standard Storage US Regional,3.5,gibibyte month,0.07\n"
        "a,,,,,Subtotal,0.1474\n"
    )

    found = _compared(tmp_path / "costs.csv", content)

    assert (found["rows"], found["rows_of_other_services"], found["differences"]) == (2, 2, [])


def test_an_export_of_another_form_is_described_by_its_columns(called: UUID, tmp_path: Path) -> None:
    assert called
    content = "some console\n\nDay,Model,In,Out,Thoughts\n2026-05-09,house model,2000,150,50\n"
    columns = ("date=Day", "model=Model", "input_tokens=In", "output_tokens=Out", "output_tokens=Thoughts")
    described = [part for column in columns for part in ("--column", column)]
    mapped = ("--model", "house model=claude-sonnet-5-5", "--prefix", "claude-")

    found = _compared(tmp_path / "other.csv", content, *described, *mapped)
    # In this place the call of midnight was made the day before.
    shifted = _compared(tmp_path / "other.csv", content, *described, *mapped, "--timezone", "America/Los_Angeles")

    assert {each["day"] for each in found["differences"]} == {"2026-05-09", "2026-05-10"}
    assert [(each["day"], each["measure"], each["ours"]) for each in shifted["differences"]] == [
        ("2026-05-09", "input_tokens", "1000"),
        ("2026-05-09", "output_tokens", "100"),
        ("2026-05-10", "input_tokens", "1000"),
        ("2026-05-10", "output_tokens", "100"),
    ]


def test_a_file_without_known_columns_is_refused_with_those_that_are_known(called: UUID, tmp_path: Path) -> None:
    assert called
    file = tmp_path / "other.csv"
    file.write_text("day,what\n2026-05-10,x\n")

    with pytest.raises(BadInput, match="usage_date_utc, model_version"):
        _maos("compare", "--vendor-csv", str(file), "--month", "2026-05")
