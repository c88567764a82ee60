"""What a query can do at worst: behind the check stands a database that reads and writes nothing else, and limits."""

import hashlib
import json
from functools import partial
from pathlib import Path

import duckdb
import pytest

from maos.analysis import WrittenQuery
from maos.analysis_parameters import TableSource
from maos.errors import LimitReached, QueryRefused
from maos.query_check import checked_query
from maos.settings import load_settings
from tasks.analysis_tables import load_tables, locked_database, source_file
from tasks.queries import CheckedPair, answered, stopped_after
from tests.analyses import Analysis
from tests.attacks import REFUSED, STOPPED, aimed

ROWS = "".join(f"2025-01-{day:02d},tea {number},{number}.50\n" for day in range(1, 31) for number in range(1, 41))
CANARY = "canary-of-another-file"
# Attacks on the machine, not on files.
ENDLESS = {"recursion", "a series", "a range", "a range as a value", "a repeated text", "a padded text"}
COUNT = "SELECT count(*) AS x FROM sales"


@pytest.fixture
def analysis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Analysis:
    """A question about a table of sales, and a run's folder."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sales.csv").write_text("day,name,amount\n" + ROWS)
    monkeypatch.setenv("MAOS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MAOS_DATASET_ROOTS", json.dumps([str(tmp_path / "data")]))
    (tmp_path / "run").mkdir()
    return Analysis(tmp_path / "run", "How many sales?", ("sales.csv",))


@pytest.fixture
def database(analysis: Analysis, tmp_path: Path) -> Path:
    """The table in a database file, as a query finds it."""
    (table,) = analysis.tables().tables
    (named,) = analysis.plan.step("run_query").parameters["tables"]
    source = TableSource.model_validate(named)
    file = source_file(source, org="demo", folder=tmp_path / "run", settings=load_settings())
    load_tables([(table, file)], tmp_path / "tables.duckdb")
    return tmp_path / "tables.duckdb"


def test_even_unchecked_an_attack_reads_and_writes_no_other_file(database: Path, tmp_path: Path) -> None:
    secret, folder, scratch = tmp_path / "secret.txt", tmp_path / "empty", tmp_path / "scratch"
    secret.write_text(f"{CANARY}\n{CANARY}\n")
    folder.mkdir()
    scratch.mkdir()
    before = hashlib.sha256(database.read_bytes()).hexdigest()
    found: dict[str, str] = {}
    for name in sorted(REFUSED.keys() - ENDLESS):
        with locked_database(database, scratch) as connection:
            try:
                result = connection.execute(aimed(REFUSED[name], file=secret, folder=folder))
                found[name] = str(result and result.fetchall())
            except duckdb.Error as error:
                found[name] = str(error)

    assert {name for name, said in found.items() if CANARY in said} == set()
    assert list(folder.iterdir()) == []
    assert hashlib.sha256(database.read_bytes()).hexdigest() == before
    assert secret.read_text() == f"{CANARY}\n{CANARY}\n"


@pytest.mark.parametrize("attack", STOPPED.values(), ids=list(STOPPED))
def test_a_query_that_takes_too_much_is_stopped(attack: str, database: Path, tmp_path: Path) -> None:
    tables = {"sales": ("day", "name", "amount")}
    query = WrittenQuery(answerable=True, sql=attack, check_sql=COUNT, key_column="x")
    pair = CheckedPair(query=checked_query(attack, tables), check=checked_query(COUNT, tables))

    with pytest.raises(LimitReached, match=r"query (time|memory)"):
        stopped_after(3, partial(answered, pair, query, database, tmp_path))


def test_a_result_of_too_many_rows_is_refused(analysis: Analysis) -> None:
    everything = "SELECT a.name, b.amount AS x FROM sales a, sales b"
    query = WrittenQuery(answerable=True, sql=everything, check_sql=COUNT, key_column="x")

    with pytest.raises(LimitReached, match="rows of a result"):
        analysis.run(query)


def test_a_query_that_was_changed_after_its_check_is_checked_again(analysis: Analysis) -> None:
    query = WrittenQuery(answerable=True, sql="SELECT * FROM '/etc/passwd'", check_sql=COUNT, key_column="x")

    with pytest.raises(QueryRefused, match="there is no table"):
        analysis.run(query)
