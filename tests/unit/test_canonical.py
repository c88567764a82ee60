import pytest

from maos.canonical import canonical_json, digest_of


def test_the_order_of_keys_does_not_change_the_digest() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1})


def test_a_whole_float_reads_as_the_integer_a_database_gives_back() -> None:
    assert canonical_json({"n": 1e16, "m": [2.0]}) == '{"m":[2],"n":10000000000000000}'


def test_any_difference_changes_the_digest() -> None:
    assert len({digest_of(value) for value in ({"a": 1}, {"a": "1"}, {"a": None}, {"a": [1]}, {"A": 1}, {})}) == 6


def test_numbers_that_are_no_json_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest_of({"n": float("nan")})
