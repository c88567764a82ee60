"""What a month comes to: quantities, rates, totals, and the document that stays."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from maos.billing import BillingUnit, Statement, StatementLine
from maos.billing_months import BillingMonth
from maos.canonical import digest_of
from maos.errors import BadInput
from maos.statement_page import page_of

CLOSED = datetime(2026, 6, 1, 1, 10, 0, 5, tzinfo=UTC)


def _line(
    amount: str, *, corrects: date | None = None, counted: int = 3, unit: str = "call", **names: str
) -> StatementLine:
    named = {"engine": "writer", "action": "act"} | names
    return StatementLine.of(
        BillingUnit(unit), corrects=corrects, counted=counted, amount=Decimal(amount), entries=3, **named
    )


def _statement(*lines: StatementLine, org_name: str = "Demo", number: int | None = 7) -> Statement:
    return Statement(
        org="demo",
        org_name=org_name,
        month="2026-05",
        number=number,
        closed_at=CLOSED if number else None,
        lines=lines,
    )


@pytest.mark.parametrize(
    ("unit", "counted", "quantity", "rate", "shown"),
    [
        ("token", 1_500_000, "1.5", "2", "million tokens"),
        ("token", 1, "0.000001", "3000000", "million tokens"),
        ("call", 7, "7", "0.42857143", "call"),
        # Half to even, at the eighth decimal.
        ("call", 200_000_000, "200000000", "0.00000002", "call"),
        ("ceiling", 2, "2", "1.5", "call at its ceiling"),
        ("correction", 0, "0", None, "correction"),
    ],
)
def test_a_rate_is_the_amount_for_one_unit(
    unit: str, counted: int, quantity: str, rate: str | None, shown: str
) -> None:
    line = _line("3", counted=counted, unit=unit)

    assert (line.quantity, line.unit) == (Decimal(quantity), shown)
    assert line.rate_usd == (None if rate is None else Decimal(rate))
    assert line.amount_usd == 3


@pytest.mark.parametrize(
    ("amounts", "payable"),
    [
        (["0.005"], "0.01"),
        (["0.00499999"], "0.00"),
        # Rounded once: each alone would be a cent.
        (["0.005", "0.005", "0.005"], "0.02"),
        (["-0.005"], "-0.01"),
        ([], "0.00"),
    ],
)
def test_only_the_payable_total_is_rounded(amounts: list[str], payable: str) -> None:
    statement = _statement(*map(_line, amounts))

    assert statement.total_usd == sum(map(Decimal, amounts), Decimal(0))
    assert str(statement.payable_usd) == payable


def test_usage_and_corrections_are_added_up_apart() -> None:
    statement = _statement(_line("1.00000001"), _line("2"), _line("-0.5", corrects=date(2026, 4, 1)))

    assert (statement.usage_usd, statement.corrections_usd) == (Decimal("3.00000001"), Decimal("-0.5"))
    assert (statement.total_usd, statement.entries) == (Decimal("2.50000001"), 9)
    assert [line.corrects for line in statement.corrections] == ["2026-04"]


def test_a_statement_is_read_from_its_document_as_it_was() -> None:
    statement = _statement(_line("0.00000001"), _line("-12345678.87654321", corrects=date(2026, 4, 1)))

    document = statement.document()

    assert Statement.model_validate(document) == statement
    assert document["lines"][0]["amount_usd"] == "0.00000001"
    assert (document["reference"], document["closed_at"]) == ("demo-0007", "2026-06-01T01:10:00.000005Z")
    assert digest_of(document) == statement.digest
    elsewhere = statement.model_copy(update={"closed_at": CLOSED.astimezone(timezone(timedelta(hours=5)))})
    assert elsewhere.digest == statement.digest


def test_an_open_month_has_no_number() -> None:
    statement = _statement(number=None)

    assert (statement.reference, statement.document()["closed_at"]) == (None, None)
    assert "This month is open." in page_of(statement)


@pytest.mark.parametrize("text", ["2026-13", "2026-00", "2026-1", "26-01", "2026-01-01", "1999-12", "", "2026-०१"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="a month such as 2026-11"):
        BillingMonth.read(text)


@pytest.mark.parametrize(
    ("moment", "ended"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), "2025-12"),
        (datetime(2026, 3, 31, 23, 59, tzinfo=UTC), "2026-02"),
        # Still February in UTC.
        (datetime(2026, 3, 1, 1, tzinfo=timezone(timedelta(hours=2))), "2026-01"),
    ],
)
def test_the_month_that_has_ended_is_that_of_utc(moment: datetime, ended: str) -> None:
    assert str(BillingMonth.before(moment)) == ended


def test_a_month_ends_where_the_next_begins() -> None:
    december, january = BillingMonth.read("2026-12"), BillingMonth.read("2027-01")

    assert (december.begins, december.ends) == (datetime(2026, 12, 1, tzinfo=UTC), january.begins)
    assert december < january
    assert december.name == "December 2026"


def test_the_page_escapes_what_comes_with_the_data() -> None:
    hostile = "<script>alert(1)</script>\" onload='x' \u202egnp"
    page = page_of(_statement(_line("1", action=hostile, engine=hostile), org_name=hostile))

    assert "<script" not in page
    assert " onload='" not in page
    assert "\u202e" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 4


def test_the_page_needs_nothing_else_and_shows_every_digit() -> None:
    statement = _statement(_line("1.00000001"), _line("-0.5", corrects=date(2026, 4, 1), unit="correction"))

    page = page_of(statement)

    assert "http://" not in page
    assert "https://" not in page
    assert "default-src 'none'" in page
    for shown in ("Statement demo-0007", "May 2026", "1.00000001", "2026-04", "0.50000001 USD", "0.50 USD"):
        assert shown in page
    assert statement.digest in page


def test_the_page_of_a_month_without_usage_says_so() -> None:
    assert "Nothing was used." in page_of(_statement(number=None))
