from maos.differences import ABSENT, cut_alike, differences, in_words
from maos.visible import visible


def test_differences_are_named_by_their_path() -> None:
    before = {"to": ["a@x.example", "b@x.example"], "mail": {"subject": "May", "body": "Hello"}}
    after = {"to": ["a@x.example", "c@x.example"], "mail": {"subject": "May", "body": "Bye"}}

    assert differences([before, after]) == [("to[1]", ("b@x.example", "c@x.example")), ("mail.body", ("Hello", "Bye"))]


def test_lists_of_other_lengths_and_values_of_other_forms_are_compared_whole() -> None:
    assert differences([{"to": [1]}, {"to": [1, 2]}]) == [("to", ([1], [1, 2]))]
    assert differences([{"to": {"a": 1}}, {"to": "a"}]) == [("to", ({"a": 1}, "a"))]


def test_what_is_missing_differs_from_what_is_empty() -> None:
    assert differences([{"a": None}, {}]) == [("a", (None, ABSENT))]
    assert differences([{"a": None}, {"a": ""}]) == [("a", (None, ""))]


def test_a_whole_number_is_the_same_in_each_of_its_forms() -> None:
    assert differences([{"a": 1}, {"a": 1.0}]) == []


def test_long_texts_are_cut_where_they_begin_to_differ() -> None:
    same = "Dear customer, " * 20

    first, second = cut_alike([same + "we charge 10 USD", same + "we charge 99 USD"], at_most=40)

    assert "10 USD" in first
    assert "99 USD" in second
    assert max(len(first), len(second)) <= 40


def test_long_texts_that_are_cut_alike_still_look_different() -> None:
    texts = ["a" + "x" * 100 + "1", "a" + "x" * 100 + "2", "short"]

    first, second, third = cut_alike(texts, at_most=40)

    assert first != second
    assert third == "short"


def test_nothing_that_comes_from_elsewhere_reaches_the_terminal_as_a_command() -> None:
    assert in_words("\x1b[2Jpay") == "\\u001b[2Jpay"
    assert visible("a\u202eb\nc") == "a\\u202eb\nc"
