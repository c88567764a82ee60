"""Reading a document of rules: prose, and one fenced block of YAML; every fault is named at once, with its line."""

import json
import re
from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from maos.approval_policy import DecidingRole
from maos.engines import EngineType
from maos.errors import RulesRefused
from maos.plans import MAX_PARALLELISM, MAX_STEPS
from maos.private_data import DataPattern
from maos.rules import MAX_DOCUMENT_BYTES, MAX_PROSE_BYTES, Rules, RulesDocument
from maos.rules_yaml import BlockFault, Value, read_block

BLOCK = "maos-rules"
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[ \t]*(.*?)[ \t]*$")

_KEYS = ", ".join(Rules.model_fields)
# What each key takes; a star stands for a name of the document's own.
_ALLOWED: Mapping[str, str] = {
    "": f"a mapping of {_KEYS}",
    "engines": f"a list of {', '.join(EngineType)}",
    "actions": "a list of names of actions",
    "forbidden_terms": "a list of words or phrases of 2 to 100 characters",
    "forbidden_topics": "a mapping of topics, each with a list of words or phrases of 2 to 100 characters",
    "limits": "a mapping of steps, parallelism, cost_usd, wall_time_seconds, calls",
    "limits.steps": f"a whole number from 1 to {MAX_STEPS}",
    "limits.parallelism": f"a whole number from 1 to {MAX_PARALLELISM}",
    "limits.cost_usd": "a number above 0 with at most eight decimals",
    "limits.wall_time_seconds": "a whole number from 1 to 31536000",
    "limits.calls": "a whole number from 1 to 1000000",
    "ask_first": "a mapping of names of actions, each with a mapping of roles, users",
    "ask_first.*.roles": f"a list of {', '.join(DecidingRole)}, at least one",
    "ask_first.*.users": "a list of email addresses, at least one",
    "email": "a mapping of recipients, domains",
    "email.recipients": "a list of email addresses",
    "email.domains": "a list of domains, such as example.com",
    "webhooks": "a mapping of hosts",
    "webhooks.hosts": "a list of host names, such as hooks.example.com",
    "stays_inside": "a mapping of fields, patterns",
    "stays_inside.fields": "a list of names of fields of 2 to 63 characters, * for any letters of a word",
    "stays_inside.patterns": f"a list of {', '.join(DataPattern)}",
}


def parse_rules(text: str, *, source: str) -> RulesDocument:
    """Read a document.

    Args:
        source: what it is called in errors.

    Raises:
        RulesRefused: with every fault, not the first.
    """
    if faults := _text_faults(text):
        raise RulesRefused(source, faults)
    lines = text.replace("\r\n", "\n").split("\n")
    blocks, faults = _blocks(lines)
    if faults:
        raise RulesRefused(source, faults)
    ((first, last),) = blocks
    rules, faults = _rules_of("\n".join(lines[first + 1 : last]), first_line=first + 2)
    prose = "\n".join([*lines[:first], *lines[last + 1 :]]).strip()
    told = "\n\n".join(filter(None, [prose, _forbidden_in_words(rules)]))
    if (size := len(told.encode())) > MAX_PROSE_BYTES:
        faults.append(f"what agents are told comes to {size:,} bytes of UTF-8; at most {MAX_PROSE_BYTES:,} are allowed")
    if faults:
        raise RulesRefused(source, faults)
    return RulesDocument(text=text, rules=rules, prose=told)


def _text_faults(text: str) -> list[str]:
    if (size := len(text.encode(errors="replace"))) > MAX_DOCUMENT_BYTES:
        return [f"the document has {size:,} bytes of UTF-8; at most {MAX_DOCUMENT_BYTES:,} are allowed"]
    numbered = enumerate(text.split("\n"), start=1)
    odd = [number for number, line in numbered if re.search(r"[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f\ud800-\udfff]", line)]
    return [f"line {number}: a character that is no text" for number in odd]


def _blocks(lines: Sequence[str]) -> tuple[list[tuple[int, int]], list[str]]:
    """Return the first and last line of each block, or what is wrong with them; blocks within other fences are text."""
    blocks, opened, fence, info = [], 0, "", ""
    for number, line in enumerate(lines):
        found = _FENCE.match(line)
        if not found:
            continue
        if not fence:
            opened, fence, info = number, found[1], found[2]
        elif found[1].startswith(fence) and not found[2]:
            if info == BLOCK:
                blocks.append((opened, number))
            fence = ""
    if fence:
        return [], [f"line {opened + 1}: the fenced block is not closed"]
    if not blocks:
        return [], [f"there is no block ```{BLOCK}; exactly one is needed"]
    return blocks, [f"line {first + 1}: a second block ```{BLOCK}; exactly one is allowed" for first, _ in blocks[1:]]


def _rules_of(block: str, *, first_line: int) -> tuple[Rules, list[str]]:
    read = read_block(block)
    if read.faults:
        return Rules(), [_in_words(fault, first_line) for fault in read.faults]
    try:
        # As JSON: its strict mode takes a list for a set, and a word for nothing but a word.
        rules = Rules.model_validate_json(json.dumps(read.data if read.data is not None else {}), strict=True)
    except ValidationError as error:
        found = [_fault_of(fault["loc"], fault["type"], read.values) for fault in error.errors(include_url=False)]
        return Rules(), [_in_words(fault, first_line) for fault in sorted(set(found))]
    nobody = [
        BlockFault(read.line_of(("ask_first", name)), f"ask_first.{name}: leaves nobody who could approve")
        for name, approvers in rules.ask_first.items()
        if approvers.nobody
    ]
    return rules, [_in_words(fault, first_line) for fault in nobody]


def _fault_of(loc: tuple[int | str, ...], kind: str, values: Mapping[tuple[int | str, ...], Value]) -> BlockFault:
    place = tuple(part for part in loc if part != "[key]")
    while place and place not in values:
        place = place[:-1]
    key = ".".join(str(part) for part in place if isinstance(part, str))
    line = values[place].line if place in values else 0
    if kind == "extra_forbidden" or loc[-1:] == ("[key]",):
        parent, _, name = key.rpartition(".")
        return BlockFault(
            values[place].key_line, f"{_at(parent)}key {name!r} is not accepted; allowed: {_allowed(parent)}"
        )
    return BlockFault(line, f"{_at(key)}{values[place].shown} is not accepted; allowed: {_allowed(key)}")


def _at(key: str) -> str:
    return f"{key}: " if key else ""


def _allowed(key: str) -> str:
    parts = key.split(".")
    for starred in (key, ".".join([*parts[:1], "*", *parts[2:]]), parts[0]):
        if starred in _ALLOWED:
            return _ALLOWED[starred]
    return _ALLOWED[""]


def _in_words(fault: BlockFault, first_line: int) -> str:
    return f"line {first_line + fault.line}: {fault.reason}"


def _forbidden_in_words(rules: Rules) -> str:
    parts = []
    if rules.forbidden_terms:
        parts.append("Never use these terms:\n" + "\n".join(f"- {term}" for term in sorted(rules.forbidden_terms)))
    if rules.forbidden_topics:
        parts.append("Do not write about:\n" + "\n".join(f"- {topic}" for topic in sorted(rules.forbidden_topics)))
    return "\n\n".join(parts)
