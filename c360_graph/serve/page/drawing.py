"""A neighbourhood and a chart as shapes of an SVG; pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from c360_graph.customer.journey import caption
from c360_graph.customer.neighbourhood import Thing
from c360_graph.questions import shown
from c360_graph.report.page import Chart

COLOURS = 8
"""Colours of the style sheet, one for each label in turn."""
MOST_CAPTIONS = 14
"""Nodes of a label whose captions are written beside them."""

_RING = 170.0
_GAP = 34.0
_MARGIN = 190.0
_SHORT = 20


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A node: where it is, and the page that it leads to."""

    x: float
    y: float
    radius: int
    colour: int
    label: str
    title: str
    caption: str
    text_x: float
    text_y: float
    anchor: str
    href: str | None


@dataclass(frozen=True, kw_only=True)
class Line:
    """A relationship."""

    x1: float
    y1: float
    x2: float
    y2: float
    title: str


@dataclass(frozen=True, kw_only=True)
class Legend:
    """A label of the picture; hidden ones are named without dots."""

    label: str
    colour: int
    count: int
    is_hidden: bool


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Lines below dots, within a box."""

    dots: tuple[Dot, ...]
    lines: tuple[Line, ...]
    legend: tuple[Legend, ...]
    box: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A row of a chart: its share of the widest one, in percent."""

    label: str
    value: str
    percent: float


def bars(chart: Chart) -> tuple[Bar, ...]:
    """A chart as bars, whatever its kind."""
    widest = max((abs(value) for value in chart.values), default=0) or 1
    return tuple(
        Bar(label=label, value=f"{value:,}", percent=round(100 * max(value, 0) / widest, 1))
        for label, value in zip(chart.labels, chart.values, strict=True)
    )


def draw(around: Mapping[str, Any], *, hidden: Iterable[str], hrefs: Mapping[str, str]) -> Drawing:
    """The centre in the middle, its neighbours in a ring, and theirs outside of it.

    Args:
        around: as the API serves a neighbourhood.
        hidden: labels that are left out.
        hrefs: the page of each node, by its id.
    """
    labels = list(dict.fromkeys(node["label"] for node in around["nodes"]))
    colours = {label: index % COLOURS for index, label in enumerate(sorted(labels))}
    left_out = {*hidden} - {around["nodes"][0]["label"]}
    nodes = {node["id"]: node for node in around["nodes"] if node["label"] not in left_out}
    edges = [e for e in around["edges"] if e["source"] in nodes and e["target"] in nodes]
    positions = _positions(around["centre"], nodes, edges)
    nodes = {node_id: node for node_id, node in nodes.items() if node_id in positions}
    counts = {label: sum(n["label"] == label for n in around["nodes"]) for label in labels}
    dots = tuple(
        _dot(node, positions[node_id], colours, counts, hrefs.get(node_id))
        for node_id, node in nodes.items()
    )
    return Drawing(
        dots=dots,
        lines=tuple(
            Line(
                x1=positions[edge["source"]][0],
                y1=positions[edge["source"]][1],
                x2=positions[edge["target"]][0],
                y2=positions[edge["target"]][1],
                title=_edge_title(edge),
            )
            for edge in edges
            if edge["source"] in positions and edge["target"] in positions
        ),
        legend=tuple(
            Legend(
                label=label,
                colour=colours[label],
                count=counts[label],
                is_hidden=label in left_out,
            )
            for label in labels
        ),
        box=_box(positions.values()),
        notes=tuple(_notes(around)),
    )


def _edge_title(edge: Mapping[str, Any]) -> str:
    told = (f"{name}: {shown(value)}" for name, value in edge["properties"].items())
    return "\n".join((edge["relationship"], *told))


def _notes(around: Mapping[str, Any]) -> Iterable[str]:
    if around["is_cut"]:
        yield "There are more nodes than are drawn."
    for closed in around["not_expanded"]:
        yield (
            f"{closed['count']:,} {closed['label']} by {closed['relationship']} of one node are not drawn."
        )


def thing_of(node: Mapping[str, Any]) -> Thing:
    """A node of the API as the customer's pages know it."""
    return Thing(id="", label=node["label"], key=(), properties=dict(node["properties"]))


def title_of(node: Mapping[str, Any]) -> str:
    """How people know a node."""
    found = caption(thing_of(node))
    return str(node["key"]) if found == node["label"] and node["key"] else found


def _dot(
    node: Mapping[str, Any],
    position: tuple[float, float],
    colours: Mapping[str, int],
    counts: Mapping[str, int],
    href: str | None,
) -> Dot:
    title = title_of(node)
    is_centre = node["hop"] == 0
    is_named = is_centre or counts[node["label"]] <= MOST_CAPTIONS
    short = title if len(title) <= _SHORT else f"{title[: _SHORT - 1]}…"
    radius = 16 if is_centre else 9 if node["hop"] == 1 else 6
    x, y = position
    far = math.hypot(x, y)
    # Away from the centre, so that no text lies on another.
    beside = (radius + 5) / far if far else 0.0
    is_above = abs(x) < 0.2 * far
    return Dot(
        x=x,
        y=y,
        radius=radius,
        text_x=round(x * (1 + beside), 1),
        text_y=round(y * (1 + beside) + (4 if far else radius + 14), 1),
        anchor="middle" if is_centre or is_above else "start" if x > 0 else "end",
        colour=colours[node["label"]],
        label=node["label"],
        title=title,
        caption=short if is_named else "",
        href=None if is_centre else href,
    )


def _positions(
    centre: str, nodes: Mapping[str, Mapping[str, Any]], edges: Sequence[Mapping[str, Any]]
) -> dict[str, tuple[float, float]]:
    """Each node that is linked to the centre, on the ring of its distance, near what leads to it."""
    beside: dict[str, list[str]] = {}
    for edge in edges:
        beside.setdefault(edge["source"], []).append(edge["target"])
        beside.setdefault(edge["target"], []).append(edge["source"])
    positions = {centre: (0.0, 0.0)}
    angles = {centre: 0.0}
    ring, radius = [centre], 0.0
    while True:
        parents = {
            other: parent
            for parent in ring
            for other in sorted(beside.get(parent, ()), key=lambda o: nodes[o]["label"])
            if other not in positions
        }
        if not parents:
            return positions
        outer = sorted(parents, key=lambda o: (angles[parents[o]], nodes[o]["label"]))
        radius = max(radius + _RING, len(outer) * _GAP / math.tau)
        for node_id, angle in zip(outer, _apart([angles[parents[o]] for o in outer]), strict=True):
            angles[node_id] = angle
            positions[node_id] = (
                round(radius * math.cos(angle), 1),
                round(radius * math.sin(angle), 1),
            )
        ring = outer


def _apart(wanted: Sequence[float]) -> list[float]:
    """Ascending angles near the wanted ones, none too close to another.

    >>> [round(angle, 2) for angle in _apart([0.0, 0.0, 3.0])]
    [0.0, 1.05, 3.0]
    """
    gap = math.tau / len(wanted)
    if wanted[0] == wanted[-1]:
        return [gap * number for number in range(len(wanted))]
    found: list[float] = []
    for angle in wanted:
        found.append(max(angle, found[-1] + gap / 2) if found else angle)
    # Where they would run into the first, they are spread evenly.
    if found[-1] - found[0] > math.tau - gap / 2:
        return [wanted[0] + gap * number for number in range(len(wanted))]
    return found


def _box(positions: Iterable[tuple[float, float]]) -> str:
    found = list(positions)
    left, right = min(x for x, _ in found) - _MARGIN, max(x for x, _ in found) + _MARGIN
    top, bottom = min(y for _, y in found) - _MARGIN / 3, max(y for _, y in found) + _MARGIN / 3
    return f"{left:.0f} {top:.0f} {right - left:.0f} {bottom - top:.0f}"
