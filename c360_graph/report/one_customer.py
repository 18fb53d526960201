"""The page of one customer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, fields
from datetime import datetime

from c360_graph.customer.journey import (
    Repeat,
    Step,
    caption,
    cuts,
    group_table,
    group_title,
    name_of,
    repeats,
    similar_table,
    steps,
)
from c360_graph.customer.neighbourhood import Neighbourhood, Thing
from c360_graph.report.page import Page, Section, table_of
from c360_graph.report.pictures import Edge, Node, Picture, details_of

MOST_DRAWN = 25
"""Neighbours of a kind that are drawn."""


def customer_page(around: Neighbourhood, *, made_at: datetime) -> Page:
    """Who, the neighbourhood drawn, the journey, and a table for each kind of neighbour."""
    centre = around.centre
    told, same = steps(around), repeats(around)
    left_out = " ".join(map(str, cuts(around)))
    sections = [
        Section(
            name="who",
            title=centre.label,
            table=table_of(("property", "value"), tuple(centre.properties.items())),
        ),
        Section(
            name="journey",
            title="Journey",
            description="What happened when, the earliest first. Times are in UTC.",
            note=left_out,
            table=table_of(_columns(Step), [astuple(step) for step in told], most=len(told)),
        ),
        Section(
            name="repeats",
            title="What repeats",
            description="Values that several neighbours have in common, such as devices and addresses.",
            note=left_out,
            table=table_of(_columns(Repeat), [astuple(one) for one in same]),
        ),
        *_group_sections(around),
        Section(
            name="possibly-same",
            title=f"Possibly the same {centre.label}",
            description="Others whose records are alike. Nothing of theirs is on this page.",
            table=table_of(*similar_table(around)),
        ),
    ]
    return Page(
        title=name_of(around),
        subtitle=f"{centre.label} and what the graph knows around it",
        made_at=made_at,
        figures=tuple((group.label, f"{group.total:,}") for group in around.groups),
        pictures=(neighbourhood_picture(around),) if around.groups else (),
        sections=tuple(section for section in sections if section.table and section.table.rows),
    )


def _group_sections(around: Neighbourhood) -> Iterator[Section]:
    for number, group in enumerate(around.groups, start=1):
        columns, rows = group_table(group, around)
        yield Section(
            name=f"group-{number}",
            title=group_title(group, around.centre),
            table=table_of(columns, rows, row_count=group.total),
        )


def neighbourhood_picture(around: Neighbourhood) -> Picture:
    """The node, its newest neighbours of each kind, and what those name."""
    nodes = {around.centre.id: _node(around.centre)}
    edges: list[Edge] = []
    left_out = 0
    for group in around.groups:
        left_out += max(0, group.total - MOST_DRAWN)
        for item in group.items[:MOST_DRAWN]:
            parents = [i for i in item.parents or (around.centre.id,) if i in nodes]
            if not parents:
                # What it belongs to is not drawn itself.
                left_out += 1
                continue
            nodes[item.thing.id] = _node(item.thing)
            edges += [
                Edge(source=parent, target=item.thing.id, kind=group.relationship_type)
                for parent in parents
            ]
            for kind, thing in item.related:
                nodes.setdefault(thing.id, _node(thing))
                edges.append(Edge(source=item.thing.id, target=thing.id, kind=kind))
    return Picture(
        name="neighbourhood",
        title="Neighbourhood",
        description="",
        nodes=tuple(nodes.values()),
        edges=tuple(edges),
        left_out=left_out,
    )


def _node(thing: Thing) -> Node:
    return Node(
        id=thing.id, kind=thing.label, caption=caption(thing), details=details_of(thing.properties)
    )


def _columns(kind: type[Step] | type[Repeat]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
