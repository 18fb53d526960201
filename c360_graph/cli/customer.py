"""`c360 customer VALUE`: all that the graph knows of one customer."""

from __future__ import annotations

from dataclasses import asdict, astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from c360_graph.cli.output import (
    FAILED,
    Json,
    exit_on_error,
    out,
    print_json,
    rows_table,
    say,
)
from c360_graph.customer.journey import (
    cuts,
    group_table,
    group_title,
    name_of,
    repeats,
    similar_table,
    steps,
)
from c360_graph.customer.lookup import CustomerGraph, Lookup, Match, look_up
from c360_graph.customer.neighbourhood import MOST_HOPS, Neighbourhood, read_customer_neighbourhood
from c360_graph.errors import GraphError
from c360_graph.extracts import write_whole
from c360_graph.graph.connection import target_graph
from c360_graph.graph.manifest import refuse_broken
from c360_graph.questions import shown
from c360_graph.settings import Settings, load_settings

MOST_STEPS = 200


def customer(
    value: Annotated[
        str,
        typer.Argument(
            help="An email address, an id, or any other value that only one node or customer has."
        ),
    ],
    label: Annotated[
        str | None, typer.Option(help="Search only this label.", show_default="all")
    ] = None,
    hops: Annotated[
        int,
        typer.Option(
            min=1, max=MOST_HOPS, help="How far to look: 2 for orders and their products."
        ),
    ] = 2,
    html: Annotated[
        Path | None, typer.Option(help="Also write a page with a picture of the neighborhood.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print one customer's properties, related data, repeated values, and events in chronological order.

    If identity_rules link the node to an entity, such as a Customer, the entity is shown with all its
    records and what belongs to them. A value is also found as the functions of a rule or a join normalize
    it. If C360_HASH_KEY is set, a hashed property is found by its plain value.

    Entities that may be the same (POSSIBLY_SAME_AS) are listed apart, with their scores. Nothing of theirs
    is shown.

    What others share, such as a city, is shown but not followed. Of each kind of neighbor, the newest 500
    are shown. Exits with 1 if no node or more than one node is found, or if a load of the graph failed or
    is in progress.

    **Examples**

    - `c360 customer john.smith@email.com`

    - `c360 customer john.smith@email.com --hops 3` with one hop more

    - `c360 customer john.smith@email.com --html john.html` with a picture

    - `c360 customer john.smith@email.com --json | jq .journey`
    """
    with exit_on_error():
        settings = load_settings()
        with target_graph(settings) as opened:
            refuse_broken(opened)
            graph = CustomerGraph(opened, timeout_seconds=settings.c360_query_timeout_seconds)
            key = settings.c360_hash_key.get_secret_value() if settings.c360_hash_key else None
            found = look_up(graph, value, hash_key=key, label=label)
            around = read_customer_neighbourhood(graph, _the_one(found, settings), hops=hops)
            if html is not None:
                _write_page(html, around)
    if as_json:
        print_json(as_data(around))
    else:
        print_journey(around)


def as_data(around: Neighbourhood) -> dict[str, Any]:
    """The neighbourhood, what was cut of it, what repeats in it, the steps, and who may be the same, for JSON."""
    return {
        "customer": asdict(around.centre),
        "groups": [asdict(group) for group in around.groups],
        "cut": [asdict(cut) for cut in cuts(around)],
        "repeats": [asdict(repeat) for repeat in repeats(around)],
        "journey": [asdict(step) for step in steps(around)],
        "possibly_same": [asdict(other) for other in around.possibly_same],
    }


def print_journey(around: Neighbourhood) -> None:
    """Tables: who, each kind of neighbour, what repeats, the steps in order of time."""
    centre = around.centre
    who = tuple((name, shown(value)) for name, value in centre.properties.items())
    out.print(rows_table(f"{centre.label} {name_of(around)}", ("property", "value"), who))
    for group in around.groups:
        columns, rows = group_table(group, around)
        title = f"{group_title(group, centre)}: {group.total:,}"
        out.print(rows_table(title, columns, rows, row_count=group.total, most=10))
    for cut in cuts(around):
        out.print(escape(str(cut)), soft_wrap=True)
    same = tuple(astuple(repeat) for repeat in repeats(around))
    if same:
        columns = ("label", "property", "value", "times", "first", "last")
        out.print(rows_table("What repeats", columns, same))
    told = tuple(astuple(step) for step in steps(around))
    columns = ("moment (UTC)", "what", "item", "detail", "related")
    out.print(rows_table("Journey", columns, told, most=MOST_STEPS))
    if around.possibly_same:
        out.print(rows_table(f"Possibly the same {centre.label}", *similar_table(around)))
        out.print("Nothing of theirs is shown above. identity_decisions settles whether they are.")


def _the_one(found: Lookup, settings: Settings) -> Match:
    """The single match.

    Raises:
        GraphError: there is none.
        typer.Exit: there are several; they are listed.
    """
    if not found.matches:
        raise GraphError(_nothing(found, settings))
    if len(found.matches) == 1:
        return found.matches[0]
    rows = tuple((match.label, match.property, shown(match.properties)) for match in found.matches)
    out.print(rows_table("Several nodes have this value", ("label", "property", "node"), rows))
    say("Choose one with --label, or use another of its values.")
    raise typer.Exit(FAILED)


def _nothing(found: Lookup, settings: Settings) -> str:
    if found.mentions:
        return f"This value does not identify a node: several nodes have it in {', '.join(found.mentions)}."
    hint = (
        ""
        if settings.c360_hash_key
        else " If the mapping hashes the property, set C360_HASH_KEY to the key that the loads use."
    )
    return f"No node has a property with this value.{hint}"


def _write_page(path: Path, around: Neighbourhood) -> None:
    # What writes a page is seldom needed, and costs time to import.
    from c360_graph.report.contents import customer_page
    from c360_graph.report.files import is_page
    from c360_graph.report.page import render

    if path.exists() and not is_page(path):
        raise GraphError(
            f"{path} exists and was not written by c360, so it is not overwritten. Choose another file, or"
            " remove it first."
        )
    try:
        write_whole(path, render(customer_page(around, made_at=datetime.now(UTC))).encode())
    except OSError as error:
        raise GraphError(f"{path} cannot be written: {error.strerror}.") from None
    say(f"Written to {path.resolve().as_uri()}")
