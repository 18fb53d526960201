"""What the pages show: all answers, or one customer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, fields
from datetime import datetime
from typing import TypeGuard

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
from c360_graph.questions import Answer, Refused, Reply, shown
from c360_graph.report.page import (
    Edge,
    Headline,
    Node,
    Page,
    Picture,
    Section,
    chart_of,
    details_of,
    picture_of,
    table_of,
)

TITLE = "Customer 360"

MOST_DRAWN = 25
"""Neighbours of a kind that are drawn."""


def customer_360_page(
    *,
    replies: Sequence[Reply],
    pictures: Sequence[Reply],
    nodes: Mapping[str, int],
    relationships: Mapping[str, int],
    made_at: datetime,
    as_of: str | None = None,
    rules: str = "",
    refused: Sequence[str] = (),
) -> Page:
    """Headline, pictures, charts and a section for each question, answered or not.

    Args:
        replies: to the questions.
        pictures: to the questions whose answer is drawn; one that is not answered becomes a section.
        nodes: how many there are by label.
        relationships: how many by type.
        made_at: when the graph was asked, in UTC.
        as_of: the moment that questions with a parameter `as_of` were given; None for now.
        rules: fingerprint of the exclusion rules that the graph follows.
        refused: why control rows were refused, without which the graph was made.
    """
    answers = [reply for reply in replies if is_answered(reply)]
    drawn = [picture for reply in pictures if is_answered(reply) if (picture := picture_of(reply))]
    undrawn = [reply for reply in pictures if not is_answered(reply)]
    return Page(
        title=TITLE,
        subtitle=f"{len(answers)} of {len(replies)} questions answered by the graph",
        made_at=made_at,
        as_of=_as_of(replies, given=as_of),
        rules=rules,
        warnings=tuple(f"Not in the graph: {reason}" for reason in refused),
        headlines=tuple(h for answer in answers if (h := headline_of(answer))),
        figures=(
            ("Nodes", f"{sum(nodes.values()):,}"),
            ("Relationships", f"{sum(relationships.values()):,}"),
            ("Labels", f"{len(nodes):,}"),
            ("Relationship types", f"{len(relationships):,}"),
        ),
        pictures=tuple(drawn),
        charts=tuple(chart for answer in answers if (chart := chart_of(answer))),
        sections=tuple(_section(reply) for reply in (*replies, *undrawn)),
    )


def _as_of(replies: Sequence[Reply], *, given: str | None) -> str:
    """The moment that the answers are true for, where questions ask for one."""
    asked = any(name == "as_of" for reply in replies for name, _ in reply.question.parameters)
    return (given or "now").replace("T", " ") if asked else ""


def is_answered(reply: Reply) -> TypeGuard[Answer]:
    """Whether the graph answered: it knew every name of the question and did not refuse it."""
    return isinstance(reply, Answer) and not reply.lacking


def headline_of(answer: Answer) -> Headline | None:
    """The number that the question's file wants to be shown large."""
    fact = answer.question.headline
    if fact is None or not answer.rows or fact.column not in answer.columns:
        return None
    number = answer.rows[0][answer.columns.index(fact.column)]
    text = f"{number:,}" if isinstance(number, int | float) else shown(number)
    return Headline(number=text, words=fact.words)


def why_unanswered(reply: Reply) -> str:
    """Why a question has no answer."""
    if isinstance(reply, Refused):
        return f"Not answered: {reply.reason}"
    return f"Skipped, because data that it needs is not in the graph: {' '.join(reply.lacking)}"


def _section(reply: Reply) -> Section:
    question = reply.question
    if not is_answered(reply):
        return Section(
            name=question.name,
            title=question.title,
            description=question.description,
            note=why_unanswered(reply),
        )
    return Section(
        name=question.name,
        title=question.title,
        description=question.description,
        table=table_of(reply.columns, reply.rows, row_count=reply.row_count)
        if reply.rows
        else None,
        note="" if reply.rows else "No rows.",
    )


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
