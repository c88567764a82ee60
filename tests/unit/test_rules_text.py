"""Documents of rules: what they mean, and every fault of a faulty one in exact words."""

from decimal import Decimal
from pathlib import Path

import pytest

from maos.approval_policy import DecidingRole
from maos.engines import EngineType
from maos.errors import RulesRefused
from maos.private_data import DataPattern
from maos.rules import MAX_PROSE_BYTES, Approvers, Limits, Rules, book_of
from maos.rules_text import parse_rules
from tests.rule_books import document

_KEYS = (
    "engines, actions, forbidden_terms, forbidden_topics, limits, ask_first, email, webhooks, stays_inside"  # in order
)
_TERMS = "words or phrases of 2 to 100 characters"
FULL = """\
engines: [claude_cli, internal_service]
actions: [write_narrative, send_email]
forbidden_terms: [Project Falcon, "2026-01-01"]
forbidden_topics: {layoffs: [redundancy, dismissal]}
limits: {steps: 20, parallelism: 4, cost_usd: 12.10, wall_time_seconds: 3600, calls: 50}
ask_first:
  send_email: {roles: [owner], users: [Ann@Example.com]}
  write_narrative: {}
email: {recipients: [boss@partner.example], domains: [Example.com]}
webhooks: {hosts: [hooks.example.com]}
stays_inside: {fields: [salary, "*_iban"], patterns: [iban]}"""


def faults(text: str) -> list[str]:
    with pytest.raises(RulesRefused) as refused:
        parse_rules(text, source="the test")
    return list(refused.value.faults)


def test_every_key_is_read() -> None:
    rules = parse_rules(document(FULL), source="the test").rules

    assert rules.engines == {EngineType.CLAUDE_CLI, EngineType.INTERNAL_SERVICE}
    assert rules.actions == {"write_narrative", "send_email"}
    assert rules.forbidden_terms == {"Project Falcon", "2026-01-01"}
    assert rules.forbidden_topics == {"layoffs": {"redundancy", "dismissal"}}
    assert rules.limits == Limits(steps=20, parallelism=4, cost_usd=Decimal("12.1"), wall_time_seconds=3600, calls=50)
    assert rules.ask_first == {
        "send_email": Approvers(roles=frozenset({DecidingRole.OWNER}), users=frozenset({"ann@example.com"})),
        "write_narrative": Approvers(),
    }
    assert rules.email.recipients == {"boss@partner.example"}
    assert rules.email.domains == {"example.com"}
    assert rules.webhooks.hosts == {"hooks.example.com"}
    assert rules.stays_inside.fields == {"salary", "*_iban"}
    assert rules.stays_inside.patterns == {DataPattern.IBAN}


def test_an_empty_block_says_nothing() -> None:
    assert parse_rules(document(""), source="the test").rules == Rules()


def test_agents_are_told_the_prose_and_what_they_must_not_write() -> None:
    read = parse_rules(document(FULL, prose="Be kind."), source="the test")

    assert read.prose == (
        "# Rules\n\nBe kind.\n\nNever use these terms:\n- 2026-01-01\n- Project Falcon\n\n"
        "Do not write about:\n- layoffs"
    )


def test_a_block_within_another_fence_is_text() -> None:
    text = "````\n```maos-rules\nlimits: {steps: 1}\n```\n````\n" + document("limits: {steps: 2}")

    assert parse_rules(text, source="the test").rules.limits.steps == 2


def test_lines_may_end_as_on_windows() -> None:
    text = document("limits:\n  steps: 2").replace("\n", "\r\n")

    assert parse_rules(text, source="the test").rules.limits.steps == 2


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("engines: [gpt]", ["engines: 'gpt' is not accepted; allowed: a list of " + ", ".join(EngineType)]),
        ("engines: claude_cli", ["engines: 'claude_cli' is not accepted; allowed: a list of " + ", ".join(EngineType)]),
        ("actions: [Send]", ["actions: 'Send' is not accepted; allowed: a list of names of actions"]),
        ("rules: 1", [f"key 'rules' is not accepted; allowed: a mapping of {_KEYS}"]),
        ("- a", [f"a list is not accepted; allowed: a mapping of {_KEYS}"]),
        ("text", [f"'text' is not accepted; allowed: a mapping of {_KEYS}"]),
        ("limits: {steps: 0}", ["limits.steps: '0' is not accepted; allowed: a whole number from 1 to 100"]),
        ("limits: {steps: 101}", ["limits.steps: '101' is not accepted; allowed: a whole number from 1 to 100"]),
        ("limits: {steps: true}", ["limits.steps: 'true' is not accepted; allowed: a whole number from 1 to 100"]),
        ("limits: {steps: '9'}", ["limits.steps: '9' is not accepted; allowed: a whole number from 1 to 100"]),
        (
            "limits: {cost_usd: .nan}",
            ["limits.cost_usd: '.nan' is not accepted; allowed: a number above 0 with at most eight decimals"],
        ),
        (
            "limits: {time: 3}",
            [
                "limits: key 'time' is not accepted; "
                "allowed: a mapping of steps, parallelism, cost_usd, wall_time_seconds, calls"
            ],
        ),
        ("forbidden_terms: [1]", [f"forbidden_terms: '1' is not accepted; allowed: a list of {_TERMS}"]),
        ("forbidden_terms: ['--']", [f"forbidden_terms: '--' is not accepted; allowed: a list of {_TERMS}"]),
        (
            "forbidden_topics: {war: []}",
            [
                "forbidden_topics.war: a list is not accepted; "
                f"allowed: a mapping of topics, each with a list of {_TERMS}"
            ],
        ),
        (
            "ask_first: {send_email: {roles: [author]}}",
            ["ask_first.send_email.roles: 'author' is not accepted; allowed: a list of owner, reviewer, at least one"],
        ),
        ("ask_first: {send_email: {roles: []}}", ["ask_first.send_email: leaves nobody who could approve"]),
        (
            "webhooks: {hosts: ['https://x.example/']}",
            [
                "webhooks.hosts: 'https://x.example/' is not accepted; "
                "allowed: a list of host names, such as hooks.example.com"
            ],
        ),
        (
            "stays_inside: {patterns: [phone]}",
            ["stays_inside.patterns: 'phone' is not accepted; allowed: a list of card_number, iban"],
        ),
        ("stays_inside: {fields: ['**']}", ["stays_inside.fields: '**' is not accepted"]),
        ("a: &x 1", ["'x': anchors and aliases are refused; write the value out"]),
        (
            "!!python/object/apply:os.system [id]",
            ["'tag:yaml.org,2002:python/object/apply:os.system': tags are refused"],
        ),
        ("limits: {}\n\nlimits: {}", ["key 'limits' stands twice; first in the block's line 1"]),
        ("<<: {steps: 1}", ["key '<<' is not accepted"]),
        ("? [a]\n: b", ["a key that is no word"]),
        ("[" * 5000, ["nested deeper than 6 levels"]),
        ("limits: {}\n---\nlimits: {}", ["a second YAML document; one is allowed"]),
        ("limits: [", ["this is not YAML: "]),
        ("limits: {steps: " + "9" * 5000 + "}", ["this is not YAML: "]),
    ],
)
def test_a_faulty_block_is_refused_in_words(block: str, expected: list[str]) -> None:
    found = faults(document(block))

    assert len(found) == len(expected)
    for fault, words in zip(found, expected, strict=True):
        assert fault.startswith("line ")
        assert fault.partition(": ")[2].startswith(words)


def test_all_faults_are_named_at_once_each_with_its_line() -> None:
    block = "engines: [gpt]\nlimits:\n  steps: 0\n  speed: 3\nask_first:\n  send_email:\n    users: [nobody]\nwar: 1"

    assert [fault[:32] for fault in faults(document(block))] == [
        "line 6: engines: 'gpt' is not ac",
        "line 8: limits.steps: '0' is not",
        "line 9: limits: key 'speed' is n",
        "line 12: ask_first.send_email.us",
        "line 13: key 'war' is not accept",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("# Rules", "there is no block ```maos-rules; exactly one is needed"),
        ("```maos-rules\n", "line 1: the fenced block is not closed"),
        (document("") + document(""), "line 12: a second block ```maos-rules; exactly one is allowed"),
        ("a\0b", "line 1: a character that is no text"),
        ("x" * 70_000, "the document has 70,000 bytes of UTF-8; at most 64,000 are allowed"),
        (
            document("", prose="ü" * 10_001),
            "what agents are told comes to 20,011 bytes of UTF-8; at most 20,000 are allowed",
        ),
    ],
)
def test_a_document_that_is_none_is_refused(text: str, fault: str) -> None:
    assert faults(text) == [fault]


def test_a_bomb_of_aliases_is_refused_before_it_is_built() -> None:
    bomb = "a: &a [x, x]\n" + "\n".join(f"{b}: &{b} [*{a}, *{a}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True))

    assert all("anchors and aliases are refused" in fault for fault in faults(document(bomb)))


def test_a_rule_book_has_the_digest_of_both_texts_and_tells_the_projects_prose_first() -> None:
    project = parse_rules(document("", prose="House."), source="a")
    own = parse_rules(document("", prose="Ours."), source="b")
    book = book_of(project, own, version=3, rules=Rules())

    assert book.organization_version == 3
    assert book.prose.index("House.") < book.prose.index("Ours.")
    for other in (
        book_of(project, None, version=0, rules=Rules()),
        book_of(own, project, version=3, rules=Rules()),
        book_of(project, parse_rules(own.text + " ", source="c"), version=3, rules=Rules()),
    ):
        assert other.digest != book.digest


def test_the_packaged_rules_are_sound() -> None:
    file = Path(__file__).parent.parent.parent / "deployments" / "rules" / "CLAUDE.md"
    read = parse_rules(file.read_text(), source=str(file))

    assert read.rules.engines == set(EngineType)
    assert len(read.prose.encode()) < MAX_PROSE_BYTES
