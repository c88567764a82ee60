"""Templates: what they may say, and that no text whatever gets out of its sandbox or makes it burn memory or time."""

from itertools import pairwise
from string import ascii_lowercase
from time import process_time
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from maos.errors import InputMismatch
from maos.rendering import MOST_CHARACTERS, TemplateText, literal, render, rendered, template_faults, template_fields

VALUES: dict[str, object] = {
    "name": "Ada",
    "total": 1234.5,
    "none": None,
    "order": {"id": 7, "items": [{"sku": "T-1", "price": 2}, {"sku": "C-2", "price": 3}], "paid": True, "keys": "k"},
    "rows": [3, 1, 2],
    "many": list(range(1000)),
    "evil": "{{ 7 * 7 }}{% include 'x' %}",
    "percent": "%01000000000d",
}


def _refusal(template: str) -> str:
    with pytest.raises(InputMismatch) as refused:
        render(template, VALUES, place="body")
    assert refused.value.name == "body"
    return refused.value.reason


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("No places at all.\n", "No places at all.\n"),
        ("Dear {{ name }},", "Dear Ada,"),
        ("{{ order.id }} {{ order['id'] }} {{ order.items.1.sku }}", "7 7 C-2"),
        # Whatever a mapping can do, its dots are what it holds.
        ("{{ order.items | length }} {{ order.keys }}", "2 k"),
        ("{{ rows | sort | join(', ') }}", "1, 2, 3"),
        ("{{ rows[:2] | join('-') }}", "3-1"),
        ("{{ order['items'] | map(attribute='sku') | join('/') }}", "T-1/C-2"),
        ("{{ order['items'] | selectattr('price', 'gt', 2) | map(attribute='sku') | first }}", "C-2"),
        ("{{ order['items'] | sum(attribute='price') }} {{ rows | sum }} {{ [] | sum }}", "5 6 0"),
        ("{% for item in order['items'] %}{{ loop.index }}. {{ item.sku }}\n{% endfor %}", "1. T-1\n2. C-2\n"),
        ("{% for key, value in order | items %}{{ key }}{{ ',' if not loop.last }}{% endfor %}", "id,items,paid,keys"),
        ("{{ order | dictsort | map('first') | join(',') }}", "id,items,keys,paid"),
        ("{% for x in [] %}{{ x }}{% else %}nothing{% endfor %}", "nothing"),
        ("{% for x in rows if x > 1 %}{{ x }}{% endfor %}", "32"),
        ("{% if order.paid and total >= 1000 %}large{% elif none is none %}small{% endif %}", "large"),
        ("{% set twice = total * 2 %}{{ twice }} {{ 7 // 2 }} {{ 7 % 2 }} {{ 1 / 4 }}", "2469.0 3 1 0.25"),
        ("{{ total | round(0) | int }} {{ 1234.567 | round(1) }}", "1234 1234.6"),
        ("{{ missing | default('nobody') }} {{ 'yes' if missing is defined else 'no' }}", "nobody no"),
        ("{{ name | upper }} {{ name ~ '-' ~ order.id }} {{ 'd' in name }}", "ADA Ada-7 True"),
        ('{"name": {{ evil | tojson }}, "order": {{ order["items"] | tojson }}}',
         '{"name": "{{ 7 * 7 }}{% include \'x\' %}", "order": [{"price":2,"sku":"T-1"},{"price":3,"sku":"C-2"}]}'),
        ("{{ 'long words are cut short' | truncate(12) }}", "long..."),
        ("{{ none }} {{ rows }}", "None [3, 1, 2]"),
        ("{# a remark #}{% raw %}{{ name }}{% endraw %}", "{{ name }}"),
    ],
)  # fmt: skip
def test_a_template_says_what_its_values_say(template: str, text: str) -> None:
    assert render(template, VALUES) == text


def test_what_a_value_says_is_never_a_template() -> None:
    assert render("{{ evil }}", VALUES) == "{{ 7 * 7 }}{% include 'x' %}"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ missing }}", "'missing' is undefined"),
        ("{{ missing.name }}", "'missing' is undefined"),
        ("{{ order.missing }}", "'dict object' has no attribute 'missing'"),
        ("{{ order.missing.name }}", "'dict object' has no attribute 'missing'"),
        ("{{ rows.9 }}", "list object has no element 9"),
        ("{{ missing + 1 }}", "'missing' is undefined"),
        ("{{ missing == 1 }}", "'missing' is undefined"),
        ("{{ 1 if missing else 2 }}", "'missing' is undefined"),
        ("{% for x in missing %}{% endfor %}", "'missing' is undefined"),
        ("{{ [] | first }}", "No first item, sequence was empty."),
        ("{{ rows | join(missing) }}", "'missing' is undefined"),
    ],
)
def test_an_undefined_name_is_an_error_and_never_an_empty_place(template: str, reason: str) -> None:
    assert _refusal(template) == reason


@pytest.mark.parametrize(
    "template",
    [
        "{{ name | dictsort }}",
        "{{ total | first }}",
        "{{ rows | join(7, 7) }}",
        "{{ name | truncate(1) }}",
        "{{ name | truncate('x') }}",
        "{{ rows | sort(attribute=[1]) }}",
        "{{ [1, 'a'] | sort }}",
        "{{ [1, 'a'] | max }}",
        "{{ name | round }}",
        "{{ name | abs }}",
        "{{ rows | sum(start=[]) }}",
        "{{ [rows, rows] | sum }}",
        "{{ 1 / 0 }}",
        "{{ 1 % 0 }}",
        "{{ rows[::0] }}",
        "{{ order[rows] }}",
        "{{ {rows: 1} }}",
        "{{ none | items }}",
        "{{ -name }}",
        "{{ name < 1 }}",
        "{{ 1 in 2 }}",
        "{{ rows | map }}",
        "{{ rows | map('nothing') }}",
        "{{ rows | select('nothing') }}",
        "{{ rows | map('upper', 1) }}",
        "{{ 1e308 * 10 | int }}{{ (1e308 * 10) | int }}",
        "{{ (1e308 * 10) | tojson }}",
        "{{ name",
        "{% for %}",
        "{% endfor %}",
        "{{ 'a' 'b }}",
        "{% nothing %}",
    ],
)
def test_what_a_value_is_not_for_is_an_error_of_the_template(template: str) -> None:
    assert _refusal(template)


# Out of the sandbox


@pytest.mark.parametrize(
    ("template", "thing"),
    [
        ("{{ name() }}", "Call"),
        ("{{ name.upper() }}", "Call"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "Call"),
        ("{{ '{0.__class__}'.format(name) }}", "Call"),
        ("{{ range(10) }}", "Call"),
        ("{{ loop() }}", "Call"),
        ("{% include 'x' %}", "Include"),
        ("{% import 'x' as y %}", "Import"),
        ("{% from 'x' import y %}", "FromImport"),
        ("{% extends 'x' %}", "Extends"),
        ("{% block x %}{% endblock %}", "Block"),
        ("{% macro x() %}{% endmacro %}", "Macro"),
        ("{% filter upper %}x{% endfilter %}", "FilterBlock"),
        ("{% set x %}y{% endset %}", "AssignBlock"),
        ("{% set name.x = 1 %}", "NSRef"),
        ("{% with x = 1 %}{% endwith %}", "With"),
        ("{% autoescape true %}{% endautoescape %}", "ScopedEvalContextModifier"),
        ("{{ 2 ** 8 }}", "Pow"),
    ],
)
def test_what_calls_loads_or_defines_is_refused_before_and_in_a_run(template: str, thing: str) -> None:
    assert f"line 1: {thing} is not allowed" in template_faults(template, VALUES.keys())
    assert f"line 1: {thing} is not allowed" in _refusal(template)


def test_a_loop_does_not_call_itself() -> None:
    template = "{% for x in rows recursive %}{{ x }}{% endfor %}"

    assert template_faults(template, {"rows"}) == ["line 1: a recursive loop is not allowed"]


@pytest.mark.parametrize(
    "template",
    [
        "{{ name.__class__ }}",
        "{{ name['__class__'] }}",
        "{{ name.upper }}",
        "{{ rows.append }}",
        "{{ rows['append'] }}",
        "{{ order.values }}",
        "{{ total.real }}",
        "{{ none.__class__ }}",
        "{{ missing.__class__ }}",
        "{{ missing._undefined_name }}",
        "{{ self }}",
        "{{ self.__init__ }}",
        "{{ loop }}",
        "{{ context }}",
        "{{ environment }}",
        "{{ namespace }}",
        "{{ cycler }}",
        "{{ __builtins__ }}",
        "{% for x in rows %}{{ loop }}{% endfor %}",
        "{% for x in rows %}{{ loop.__init__ }}{% endfor %}",
        "{% for x in rows %}{{ loop._iterator }}{% endfor %}",
        "{% for x in rows %}{{ loop.cycle }}{% endfor %}",
        "{% for x in rows %}{{ loop ~ 'x' }}{% endfor %}",
        "{% for x in rows %}{{ [loop] | first }}{% endfor %}",
        "{{ rows | map(attribute='__class__') | first }}",
        "{{ rows | map(attribute='real') | join }}",
        "{{ [name] | map(attribute='__class__.__mro__') | join }}",
        "{{ rows | map('map', 'upper') | join }}",
        "{{ rows | sort(attribute='__class__') }}",
        "{{ rows | selectattr('__class__') | join }}",
        "{{ rows | groupby('x') }}",
        "{{ name | attr('__class__') }}",
        "{{ name | format(name) }}",
        "{{ rows | map('attr', '__class__') | join }}",
        "{{ rows | map('format') | join }}",
        "{{ percent % 5 }}",
        "{{ percent is odd }}",
        "{{ percent is divisibleby(5) }}",
        "{{ [percent] | select('odd') | join }}",
        "{{ [percent] | select('divisibleby', 5) | join }}",
        "{{ name is filter('x') }}",
        "{{ name is callable }}",
        "{{ name is sameas(name) }}",
    ],
)
def test_nothing_but_data_is_reached(template: str) -> None:
    assert _refusal(template)


def test_the_filters_and_tests_that_there_are_are_named() -> None:
    assert template_faults("{{ x | list }}\n{{ x is odd }}", {"x"}) == [
        "line 1: no filter 'list'; filters: abs, capitalize, default, dictsort, first, float, int, items, join, last, "
        "length, lower, map, max, min, reject, rejectattr, round, select, selectattr, sort, sum, title, tojson, trim, "
        "truncate, unique, upper",
        "line 2: no test 'odd'; tests: boolean, defined, eq, equalto, false, float, ge, gt, in, integer, iterable, le, "
        "lower, lt, mapping, ne, none, number, sequence, string, true, undefined, upper",
    ]


# Memory and time


def _doubling(begin: str, step: str, end: str, *, levels: int = 12) -> str:
    """Return a template in which each of its variables is made of the one before."""
    names = ascii_lowercase[: levels + 1]
    sets = "".join(f"{{% set {new} = {step.replace('@', old)} %}}" for old, new in pairwise(names))
    return f"{{% set a = {begin} %}}{sets}{end.replace('@', names[-1])}"


_TEN = ", ".join("@" * 10)
_LOOPS = "{% for x in many %}" * 6, "{% endfor %}" * 6
BOMBS = {
    "joined text": _doubling("'aaaaaaaaaa'", " ~ ".join("@" * 10), "{{ @ | length }}"),
    "added text": _doubling("'aaaaaaaaaa'", " + ".join("@" * 10), "{{ @ | length }}"),
    "added lists": _doubling("[1]", " + ".join("@" * 10), "{{ @ | length }}"),
    "text times a number": "{{ 'a' * 10000000000 }}",
    "a number times text": "{{ 10000000000 * 'a' }}",
    "a list times a number": "{{ [0] * 10000000000 }}",
    "a value times a number": "{{ (name * 1000000000) | length }}",
    "squares": _doubling("10", "@ * @", "done", levels=25),
    "a power": "{{ 9 ** 9 ** 9 ** 9 }}",
    "a long sum of squares": "{{ " + " * ".join(["99999999999999999999"] * 200) + " }}",
    "formatted text": "{{ percent % 1 }}",
    "formatted constant": "{{ '%01000000000d' % 1 }}",
    "a width": "{{ 'a' | center(10000000000) }}",
    "an indentation": "{{ order | tojson(indent=10000000000) }}",
    "another indentation": "{{ name | indent(10000000000) }}",
    "a precision": "{{ 1 | round(1000000000) }}",
    "a precision with a method": "{{ 1 | round(1000000000, 'ceil') }}",
    "a precision of text": "{{ 'a' | round(10, 'floor') }}",
    "a mapped precision": "{{ rows | map('round', 1000000000, 'ceil') | join }}",
    "a replacement": _doubling("'aaaaaaaaaa'", "@ | replace('a', @)", "{{ @ | length }}"),
    "lists of lists": _doubling("['aaaaaaaaaa']", f"[{_TEN}]", "{{ @ }}"),
    "lists of lists in a filter": _doubling("['aaaaaaaaaa']", f"[{_TEN}]", "{{ @ | upper | length }}"),
    "lists of lists as JSON": _doubling("['aaaaaaaaaa']", f"[{_TEN}]", "{{ @ | tojson | length }}"),
    "lists of lists compared": _doubling("[1]", f"[{_TEN}]", "{{ @ == [[@]] }}"),
    "tuples of tuples": _doubling("(1, 2)", f"({_TEN})", "{{ @ }}"),
    "mappings of mappings": _doubling("{'x': 1}", "{'a': @, 'b': @, 'c': @, 'd': @, 'e': @, 'f': @}", "{{ @ }}"),
    "a default mapped": _doubling("many", "many | map('default', @, true) | sort", "{{ @ | length }}"),
    "a join with a join": _doubling("many | join", "many | join(@)", "{{ @ | length }}"),
    "a join mapped": "{% set a = many | join %}{{ many | map('join', a) | join(a) | length }}",
    "a sum of lists": "{{ [many, many] | sum(start=[]) | length }}",
    "nested loops": f"{_LOOPS[0]}{_LOOPS[1]}done",
    "nested loops that print": f"{_LOOPS[0]}x{_LOOPS[1]}",
    "nested loops over text": "{% for x in many | join %}" * 6 + "{% endfor %}" * 6,
    "nested loops over lists of their own": "{% for x in [" + "0," * 1000 + "] %}" * 4 + "{% endfor %}" * 4,
    "nested loops over slices": "{% for x in many[:] %}" * 6 + "{% endfor %}" * 6,
    "a loop over a large number": "{% for x in 10000000000 %}{% endfor %}",
    "a long body": "{% for x in many %}{% for y in many %}" + "{{ '' }}" * 5000 + "{% endfor %}{% endfor %}",
    "a loop that sorts": "{% for x in many %}{% for y in many %}{{ (many | sort)[:0] }}{% endfor %}{% endfor %}",
    "a loop that compares": "{% for x in many %}{% for y in many %}{{ '' if many == rows }}{% endfor %}{% endfor %}",
    "a loop that looks for": "{% for x in many %}{% for y in many %}{{ '' if -1 in many }}{% endfor %}{% endfor %}",
    "a loop that tests": "{% for x in many %}{{ many | select('in', many) | first }}{% endfor %}",
    "a loop that joins": "{% for x in many %}{% for y in many %}{% set z = x ~ many %}{% endfor %}{% endfor %}",
    "a loop within a filter": "{{ many | map('map', 'default') | map('join') | join }}",
    "much text": "{% for x in many %}{{ many | join }}{% endfor %}",
    "the charge, called by name": "{{ many | map(' charged', -1000000000) | join }}",
    "the charge, called with text": "{{ many | map(' charged', name) | join }}",
    "the charge, called with no number": "{% set x = 1e308 * 10 %}{{ many | map(' charged', x - x) | join }}",
    "brackets": "{{ " + "(" * 40_000 + "1" + ")" * 40_000 + " }}",
    "lists in lists": "{{ " + "[" * 500 + "]" * 500 + " }}",
    "a long sum": "{{ " + "+".join(["1"] * 20_000) + " }}",
    "a long path": "{{ name" + ".a" * 20_000 + " }}",
    "a long chain of filters": "{{ name" + "|upper" * 10_000 + " }}",
    "many nested loops": "{% for x in rows %}" * 40 + "{% endfor %}" * 40,
    "many nested choices": "{% if name %}" * 150 + "{% endif %}" * 150,
    "many open places": "{{" * 40_000,
    "many open texts": "{{ '" * 20_000,
    "many open remarks": "{#" * 40_000,
    "a template too long": "x" * 100_001,
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_no_template_makes_much_of_little(bomb: str) -> None:
    began = process_time()

    assert _refusal(bomb)
    assert process_time() - began < 10


def test_a_text_is_at_most_so_long() -> None:
    assert len(render("{{ x }}", {"x": "a" * MOST_CHARACTERS})) == 200_000
    assert _refusal("{% for x in many %}" + "a" * 201 + "{% endfor %}") == "it renders to more than 200,000 characters"


def test_each_rendering_has_its_own_budget() -> None:
    template = "{% for x in many %}{% for y in many[:100] %}{% endfor %}{% endfor %}done"

    assert [render(template, VALUES) for _ in range(3)] == ["done"] * 3


def test_a_value_may_be_called_like_the_budget() -> None:
    assert render("{{ x }}", {"x": 1, " budget": 2, " charged": 3}) == "1"


def test_a_table_of_a_thousand_rows_is_no_large_work() -> None:
    rows = [{"name": f"Product {number}", "revenue": 1234.5, "share": 12.5} for number in range(1000)]
    template = "{% for row in rows %}{{ row.name }} | {{ row.revenue | round(1) }} | {{ row.share }}%\n{% endfor %}"

    text = render(template, {"rows": rows})

    assert text.splitlines()[999] == "Product 999 | 1234.5 | 12.5%"


# Before a run


@pytest.mark.parametrize(
    ("template", "faults"),
    [
        ("", []),
        ("{{ a }} {{ b.c }}", []),
        ("{% set c = a %}{{ c }}{% for d in b %}{{ d }}{{ loop.index }}{% endfor %}", []),
        ("{{ c }}{{ d.e }}", ["the name 'c' is not an input; inputs: a, b",
                              "the name 'd' is not an input; inputs: a, b"]),
        ("{% for d in a %}{% endfor %}{{ d }}", ["the name 'd' is not an input; inputs: a, b"]),
        ("\n\n{{ a", ["line 3: unexpected end of template, expected 'end of print statement'."]),
        ("{% if a %}", ["line 1: Unexpected end of template. Jinja was looking for the following tags: "
                        "'elif' or 'else' or 'endif'. The innermost block that needs to be closed is 'if'."]),
        ("{{ " + "(" * 3000, ["line 1: nested too deep"]),
        ("{% for x in a %}" * 40 + "{% endfor %}" * 40, ["line 1: too many statically nested blocks"]),
        ("x" * 100_001, ["line 1: longer than 100,000 characters"]),
        ("{{ a() }}\n{{ c }}\n{% include 'x' %}", ["line 1: Call is not allowed", "line 3: Include is not allowed",
                                                   "the name 'c' is not an input; inputs: a, b"]),
    ],
)  # fmt: skip
def test_every_fault_of_a_template_is_named_at_once(template: str, faults: list[str]) -> None:
    assert template_faults(template, {"a", "b"}) == faults


def test_a_template_without_inputs_is_told_so() -> None:
    assert template_faults("{{ a }}", set()) == ["the name 'a' is not an input; inputs: none"]


# Parameters


class Mail(BaseModel):
    to: str
    subject: TemplateText
    body: Annotated[TemplateText, Field(max_length=100)] = ""
    copies: int = 1


def test_only_what_is_declared_as_a_template_is_one() -> None:
    assert template_fields(Mail) == {"subject", "body"}


def test_parameters_are_rendered_where_they_are_templates() -> None:
    given = {"to": "{{ name }}", "subject": "{{ name }}", "copies": "{{ name }}"}

    assert rendered(given, Mail, VALUES) == {"to": "{{ name }}", "subject": "Ada", "copies": "{{ name }}"}


@pytest.mark.parametrize("subject", [None, 7, ["{{ name }}"], {}])
def test_what_is_no_text_is_left_for_the_schema_to_refuse(subject: object) -> None:
    assert rendered({"subject": subject}, Mail, VALUES) == {"subject": subject}


def test_the_parameter_whose_template_fails_is_named() -> None:
    with pytest.raises(InputMismatch, match="input 'body': 'missing' is undefined"):
        rendered({"subject": "{{ name }}", "body": "{{ missing }}"}, Mail, VALUES)


@given(st.text(alphabet="{}%#-+'\"\\ \nab~é", max_size=60))
def test_a_literal_renders_to_itself(text: str) -> None:
    assert template_faults(literal(text), set()) == []
    assert render(literal(text), {}) == text
