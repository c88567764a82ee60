"""Two ledgers compared: every difference is found, and together they come to that of the totals."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maos.errors import BadInput
from maos.ledgers import CompareLedgersParameters, amount_of, compare_ledgers

ASKED = CompareLedgersParameters(left="ours", right="theirs", key="id", amount="amount")
EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "run_workflow"


def _csv(*rows: str) -> str:
    return "\n".join(("id,day,amount", *rows)) + "\n"


def _kinds(left: str, right: str) -> list[tuple[str, str, Decimal | None]]:
    return [(each.kind.value, each.key, each.by) for each in compare_ledgers(left, right, ASKED).differences]


@pytest.mark.parametrize(
    ("left", "right", "found"),
    [
        (_csv("a,1,5.00"), _csv("a,1,5.0"), []),
        (_csv("a,1,5"), _csv(), [("only_left", "a", Decimal(5))]),
        (_csv(), _csv("a,1,5"), [("only_right", "a", Decimal(-5))]),
        (_csv("a,1,5"), _csv("a,1,7"), [("amount", "a", Decimal(-2))]),
        (_csv("a,1,5"), _csv("a,2,5"), [("field", "a", None)]),
        (_csv("a,1,5", "a,1,5"), _csv("a,1,5"), [("repeated", "a", Decimal(5))]),
        (_csv("a,1,n/a"), _csv("a,1,5"), [("unreadable", "a", Decimal(-5))]),
        (_csv("a,1,n/a"), _csv("a,1,n/a"), [("unreadable", "a", Decimal(0))]),
    ],
)
def test_each_kind_of_difference_is_found(left: str, right: str, found: list[tuple[str, str, Decimal | None]]) -> None:
    assert _kinds(left, right) == found


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1234.50", Decimal("1234.50")),
        ("1,234.50", Decimal("1234.50")),
        ("1.234,50", Decimal("1234.50")),
        ("-12,5", Decimal("-12.5")),
        ("1 234.50", Decimal("1234.50")),
        ("1'234.50", Decimal("1234.50")),
        # One of two, and nobody knows which.
        ("1,234", None),
        ("n/a", None),
        ("NaN", None),
        ("Infinity", None),
        ("", None),
    ],
)
def test_an_amount_is_read_as_it_is_meant_or_not_at_all(text: str, amount: Decimal | None) -> None:
    assert amount_of(text) == amount


def test_the_example_differs_where_its_authors_put_differences() -> None:
    asked = CompareLedgersParameters(left="books", right="bank", key="reference", amount="amount")
    found = compare_ledgers((EXAMPLES / "books.csv").read_text(), (EXAMPLES / "bank.csv").read_text(), asked)

    assert [(each.number, each.kind.value, each.key) for each in found.differences] == [
        (1, "amount", "INV-1003"),
        (2, "field", "INV-1004"),
        (3, "repeated", "INV-1007"),
        (4, "only_left", "INV-1008"),
        (5, "amount", "FEE-10"),
        (6, "only_right", "REF-88"),
    ]
    assert found.total_difference == found.accounted_for == Decimal("416.15")


_ROWS = st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-999, 999)), max_size=12)


@given(_ROWS, _ROWS)
def test_the_differences_always_come_to_the_difference_of_the_totals(
    left: list[tuple[str, int]], right: list[tuple[str, int]]
) -> None:
    found = compare_ledgers(*(_csv(*(f"{key},1,{amount}" for key, amount in rows)) for rows in (left, right)), ASKED)

    assert found.accounted_for == found.total_difference == sum(n for _, n in left) - sum(n for _, n in right)


def test_beyond_what_is_listed_differences_are_counted() -> None:
    found = compare_ledgers(_csv(*(f"k{number},1,1" for number in range(250))), _csv(), ASKED)

    assert (len(found.differences), found.not_shown, found.accounted_for) == (200, 50, Decimal(250))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "columns of the table: none"),
        ("id,day\na,1\n", "amount"),
        ("id,day,amount\na,1\n", "line 2"),
        ('id,day,amount\n"a,1,5\n', "CSV"),
    ],
)
def test_what_is_no_ledger_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        compare_ledgers(text, _csv(), ASKED)
