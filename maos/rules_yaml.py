"""Plain YAML, without what surprises: anchors, tags, merges, doubled keys, several documents, deep nesting."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

_DEEPEST = 6
_LONGEST_SHOWN = 60
Place = tuple[int | str, ...]


@dataclass(frozen=True, order=True)
class BlockFault:
    """What is wrong, and in which line of the block, from 0."""

    line: int
    reason: str


@dataclass(frozen=True)
class Value:
    """Where a value stands, and how it is shown."""

    line: int
    key_line: int
    shown: str


@dataclass(frozen=True)
class Block:
    """A block as it was read: its data as JSON would have it, and where each value stands."""

    # Any: validated into the model of the rules by whoever reads it.
    data: Any = None
    values: dict[Place, Value] = field(default_factory=dict)
    faults: tuple[BlockFault, ...] = ()

    def line_of(self, place: Place) -> int:
        """Return the line of a value."""
        return self.values[place].key_line if place in self.values else 0


class _PlainLoader(yaml.SafeLoader):
    """Reads words, numbers, booleans and null; a date is a word."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the base class declares it so
        sign: [pair for pair in pairs if pair[0].rpartition(":")[2] in {"bool", "int", "float", "null"}]
        for sign, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_block(text: str, *, deepest: int = _DEEPEST) -> Block:
    """Read a block of YAML; with faults it has no data.

    Args:
        deepest: how many levels of lists and mappings there may be.
    """
    try:
        if faults := tuple(_tricks(text, deepest)):
            return Block(faults=faults)
        node = yaml.compose(text, Loader=_PlainLoader)
        if node is None:
            return Block(values={(): Value(0, 0, "nothing")})
        if faults := tuple(_doubled(node)):
            return Block(faults=faults)
        data = yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a safe loader, with less in it
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        return Block(faults=(BlockFault(line, f"this is not YAML: {error.problem or error.context}"),))
    except (yaml.YAMLError, ValueError) as error:
        return Block(faults=(BlockFault(0, f"this is not YAML: {str(error).splitlines()[0]}"),))
    return Block(data=data, values=dict(_places(node, (), node.start_mark.line)))


def _tricks(text: str, deepest: int) -> Iterator[BlockFault]:
    """Return what plain YAML has not; events are read one by one, before anything is built of them."""
    depth, documents = 0, 0
    for event in yaml.parse(text, Loader=_PlainLoader):
        line = event.start_mark.line if event.start_mark else 0
        documents += isinstance(event, yaml.DocumentStartEvent)
        if documents > 1:
            yield BlockFault(line, "a second YAML document; one is allowed")
            return
        if anchor := getattr(event, "anchor", None):
            yield BlockFault(line, f"{anchor!r}: anchors and aliases are refused; write the value out")
        if tag := getattr(event, "tag", None):
            yield BlockFault(line, f"{tag!r}: tags are refused")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > deepest:
            yield BlockFault(line, f"nested deeper than {deepest} levels")
            return


def _doubled(node: yaml.Node) -> Iterator[BlockFault]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _doubled(item)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, int] = {}
    for key, value in node.value:
        line = key.start_mark.line
        if not isinstance(key, yaml.ScalarNode):
            yield BlockFault(line, "a key that is no word")
            continue
        if key.value in seen:
            yield BlockFault(line, f"key {key.value!r} stands twice; first in the block's line {seen[key.value] + 1}")
        seen.setdefault(key.value, line)
        yield from _doubled(value)


def _places(node: yaml.Node, place: Place, key_line: int) -> Iterator[tuple[Place, Value]]:
    yield place, Value(node.start_mark.line, key_line, _shown(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _places(value, (*place, str(key.value)), key.start_mark.line)
    if isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield from _places(item, (*place, number), item.start_mark.line)


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    text = str(node.value)
    return repr(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…") if text else "nothing"
