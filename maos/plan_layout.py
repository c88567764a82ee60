"""Where the steps of a plan stand in its picture: in layers by the longest path to them, their links between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

from maos.plans import Plan, PlanStep

CARD_WIDTH = 248
CARD_HEIGHT = 98
_BESIDE = 24
_BETWEEN_LAYERS = 64
# A link that passes a layer takes a narrow place of its own, so that it crosses no card.
_LANE = 14


class Point(NamedTuple):
    """A place in the picture."""

    x: float
    y: float


class Link(NamedTuple):
    """A piece of a connection: between two layers, or straight past one."""

    start: Point
    end: Point
    arrives: bool


@dataclass(frozen=True)
class Layout:
    """The geometry of a picture."""

    width: float
    height: float
    # Whether the plan reads from left to right: it does when it is wider than it is long.
    sideways: bool
    # Upper left corner of each step's card.
    cards: Mapping[str, Point]
    links: tuple[Link, ...]


def layers_of(plan: Plan) -> tuple[tuple[PlanStep, ...], ...]:
    """Return the steps by the longest path to them, each layer in the order of the plan."""
    depths = _depths(plan)
    return tuple(
        tuple(step for step in plan.steps if depths[step.id] == depth) for depth in range(max(depths.values()) + 1)
    )


def layout_of(plan: Plan) -> Layout:
    """Return where each step stands, so that the picture is no wider than it must be."""
    layers = layers_of(plan)
    sideways = max(map(len, layers)) > len(layers)
    grid = _Grid(plan, CARD_HEIGHT if sideways else CARD_WIDTH, CARD_WIDTH if sideways else CARD_HEIGHT)
    turned = _turned if sideways else _upright
    width, height = turned(grid.breadth, grid.along(len(layers)) - _BETWEEN_LAYERS)
    corners = {
        name: turned(grid.across[name, depth] - grid.card / 2, grid.along(depth)) for name, depth in grid.depths.items()
    }
    links = tuple(Link(turned(*start), turned(*end), arrives) for start, end, arrives in grid.links())
    return Layout(width=width, height=height, sideways=sideways, cards=corners, links=links)


def _upright(across: float, along: float) -> Point:
    return Point(across, along)


def _turned(across: float, along: float) -> Point:
    return Point(along, across)


def _depths(plan: Plan) -> dict[str, int]:
    depths: dict[str, int] = {}
    waiting = list(plan.steps)
    while waiting:
        ready = [step for step in waiting if step.depends_on <= depths.keys()]
        depths |= {step.id: max((depths[name] + 1 for name in step.depends_on), default=0) for step in ready}
        waiting = [step for step in waiting if step.id not in depths]
    return depths


class _Grid:
    """Places across the layers, whichever way the picture reads.

    A place is named by a step and a layer: in the step's own layer it is its card, in a later one the lane in which
    the step's outcome passes that layer.
    """

    def __init__(self, plan: Plan, breadth: float, length: float) -> None:
        self.depths = _depths(plan)
        self.across: dict[tuple[str, int], float] = {}
        self._sources = {step.id: sorted(step.depends_on) for step in plan.steps}
        self.card = breadth
        self._length = length
        self._reach = {
            name: max((self.depths[step.id] for step in plan.steps if name in step.depends_on), default=0)
            for name in self.depths
        }
        for depth in range(max(self.depths.values()) + 1):
            self._place(depth)
        first = min(at - self._width(place) / 2 for place, at in self.across.items())
        self.across = {place: at - first for place, at in self.across.items()}

    @property
    def breadth(self) -> float:
        """How much room the broadest layer takes."""
        return max(at + self._width(place) / 2 for place, at in self.across.items())

    def along(self, depth: int) -> float:
        """Return where a layer begins."""
        return depth * (self._length + _BETWEEN_LAYERS)

    def links(self) -> list[tuple[tuple[float, float], tuple[float, float], bool]]:
        """Return every link once: where it starts, where it ends, whether it ends at a card."""
        found = []
        for place, at in self.across.items():
            name, depth = place
            top = self.along(depth)
            for source in self._before(place):
                start = (self.across[source], self.along(depth - 1) + self._length)
                found.append((start, (at, top), self.depths[name] == depth))
            if self.depths[name] < depth:
                found.append(((at, top), (at, top + self._length), False))
        return found

    def _place(self, depth: int) -> None:
        names = [name for name in self.depths if self.depths[name] == depth]
        names += [name for name in self.depths if self.depths[name] < depth < self._reach[name]]
        places = [(name, depth) for name in names]
        wishes = {place: self._wish(place) for place in places}
        ordered = sorted(places, key=wishes.__getitem__)
        widths = [self._width(place) for place in ordered]
        self.across |= zip(ordered, _packed(widths, [wishes[place] for place in ordered]), strict=True)

    def _before(self, place: tuple[str, int]) -> list[tuple[str, int]]:
        name, depth = place
        return [(source, depth - 1) for source in (self._sources[name] if self.depths[name] == depth else [name])]

    def _wish(self, place: tuple[str, int]) -> float:
        return fmean([self.across[source] for source in self._before(place)] or [0.0])

    def _width(self, place: tuple[str, int]) -> float:
        name, depth = place
        return self.card if self.depths[name] == depth else _LANE


def _packed(widths: Sequence[float], wishes: Sequence[float]) -> list[float]:
    """Return the middles of places side by side, on the whole as near to where they wish to be as they can."""
    middles: list[float] = []
    free = min(wishes) - max(widths)
    for width, wish in zip(widths, wishes, strict=True):
        middles.append(max(wish, free + width / 2))
        free = middles[-1] + width / 2 + _BESIDE
    shift = fmean(wish - middle for wish, middle in zip(wishes, middles, strict=True))
    return [middle + shift for middle in middles]
