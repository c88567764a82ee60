"""Which queries may run: attacks are refused with a reason, and what analysts write is let through."""

import pytest
import sqlglot

from maos.errors import QueryRefused
from maos.query_check import checked_query, query_faults
from tests.attacks import REFUSED, STOPPED, aimed

TABLES = {"sales": ("day", "name", "amount", "unit price"), "shops": ("name", "city")}


@pytest.mark.parametrize("attack", REFUSED.values(), ids=list(REFUSED))
def test_an_attack_is_refused_with_a_reason(attack: str) -> None:
    with pytest.raises(QueryRefused) as refused:
        checked_query(aimed(attack, file="/etc/passwd", folder="/var/empty"), TABLES)

    assert all(refused.value.faults)


@pytest.mark.parametrize("attack", STOPPED.values(), ids=list(STOPPED))
def test_what_only_takes_too_much_is_left_to_the_limits(attack: str) -> None:
    assert query_faults(attack, TABLES) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM sales",
        'SELECT "name", sum(amount) AS total FROM sales GROUP BY 1 HAVING sum(amount) > 3 ORDER BY total DESC LIMIT 5',
        "SELECT date_trunc('month', day) AS month, avg(amount) FROM sales WHERE year(day) = 2025 GROUP BY ALL",
        "WITH t AS (SELECT name, sum(amount) AS x FROM sales GROUP BY name) SELECT name, x / nullif(sum(x) OVER (), 0)"
        " AS share FROM t ORDER BY x DESC",
        "SELECT s.name, city, amount - lag(amount) OVER (PARTITION BY s.name ORDER BY day) AS step FROM sales AS s"
        " LEFT JOIN shops USING (name)",
        "SELECT name FROM sales EXCEPT SELECT name FROM shops",
        'SELECT corr(amount, "unit price"), median(amount), quantile_cont(amount, 0.9), stddev_samp(amount) FROM sales',
        "SELECT CASE WHEN amount > 1 THEN 'a' ELSE 'b' END AS size, count(DISTINCT name) FROM sales GROUP BY size",
        "SELECT strftime(day, '%Y-%m') AS m, arg_max(name, amount) FROM sales GROUP BY m",
        "SELECT extract(year FROM day), datediff('day', min(day), max(day)) FROM sales GROUP BY 1",
        "SELECT * FROM sales WHERE name ILIKE '%tea%' AND amount BETWEEN 1 AND 2 OR name IN ('a', 'b')",
        "SELECT round(sum(amount) FILTER (WHERE name = 'a'), 2), try_cast(name AS INTEGER) FROM sales GROUP BY 2",
        "SELECT name FROM sales QUALIFY row_number() OVER (ORDER BY amount DESC) <= 3",
        "SELECT * FROM sales;",
        # Words of an attack as a text are words.
        "SELECT count(*) FROM sales WHERE name = 'DROP TABLE sales; COPY /etc/passwd'",
    ],
)
def test_what_analysts_write_may_run_and_means_the_same_when_written_anew(sql: str) -> None:
    written = checked_query(sql, TABLES).sql

    assert checked_query(written, TABLES).sql == written
    assert len(sqlglot.parse(written, dialect="duckdb")) == 1


def test_what_runs_has_every_name_in_quotes_and_no_comment() -> None:
    written = checked_query("SELECT amount AS a -- a remark\nFROM sales /* another */", TABLES).sql

    assert " ".join(written.split()) == 'SELECT "amount" AS "a" FROM "sales"'


def test_every_fault_is_named_at_once_and_says_what_there_is() -> None:
    faults = query_faults("SELECT colour, getenv('A') FROM customers", TABLES)

    assert sorted(faults) == [
        "the function getenv is not allowed",
        "there is no column 'colour'",
        "there is no table customers; tables: sales, shops",
    ]


def test_the_columns_that_a_query_reads_are_known() -> None:
    query = checked_query('SELECT "name" FROM sales WHERE amount > 1', TABLES)

    assert query.columns == {"name", "amount"}


def test_a_star_reads_every_column() -> None:
    assert checked_query("SELECT * FROM shops", TABLES).columns >= {"city", "amount"}
