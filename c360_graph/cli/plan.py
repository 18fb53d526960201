"""`c360 plan`: what a load would do, before it does it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from c360_graph.cli.output import (
    DESTROYS,
    FAILED,
    Json,
    err,
    exit_on_error,
    grid,
    out,
    print_json,
    say,
)
from c360_graph.control.connection import ControlDatabase, control_credentials
from c360_graph.graph.connection import target_graph
from c360_graph.pipeline.load import clears
from c360_graph.plan.model import (
    Plan,
    PlannedLabel,
    PlannedRelationships,
    PlannedTable,
    Way,
    road_of,
)
from c360_graph.settings import Settings, load_settings
from c360_graph.text import plural

_STYLES = {
    "new": "green",
    "create": "green",
    "changed": "yellow",
    "made anew": "yellow",
    "replaced": "yellow",
    "drop": "yellow",
    "taken over": "red",
    "removed": "red",
    "stays": "red",
    "unchanged": "dim",
}
_STATES = {
    "unreachable": "cannot be reached",
    "empty": "is empty",
    "loaded": "was loaded by this project",
    "broken": "was left incomplete by a load of this project",
    "foreign": "has no data that this project loaded",
}
_WAYS = {
    "clear": "clear_database: true, the graph is emptied first",
    "reconcile": "clear_database: false, the graph is updated to the state of the sources",
}


def plan_tables(plan: Plan) -> Iterator[Table]:
    """Those that have something to say, what is destroyed last."""
    tables = (
        _summary(plan),
        _sources(plan),
        _tables(plan),
        _mapped(plan),
        _withheld(plan),
        _labels(plan),
        _properties(plan),
        _relationships(plan),
        _schema(plan),
        _purges(plan),
        _refusals(plan),
        _inactive(plan),
        _destroyed(plan),
    )
    return (table for table in tables if table.row_count)


def _summary(plan: Plan) -> Table:
    graph = plan.graph
    held = f", {graph.nodes:,} nodes and {graph.relationships:,} relationships"
    shown = "" if graph.state == "unreachable" else held
    return grid(
        "Plan",
        ("", ""),
        (
            ("way", _WAYS[plan.way] + _road(plan)),
            ("graph", f"{graph.server} {_STATES[graph.state]}{shown}"),
        ),
    )


def _road(plan: Plan) -> str:
    """What is not to be expected of the way."""
    by_script = road_of(plan.way, plan.graph.state) == "script"
    return "; by the script, as the graph is empty" if by_script and plan.way != "clear" else ""


def _sources(plan: Plan) -> Table:
    return grid(
        "Sources",
        ("source", "tables", "answers"),
        ((s.source, s.tables, s.problem or "yes") for s in plan.sources),
    )


def _tables(plan: Plan) -> Table:
    return grid(
        "Tables to read",
        ("table", "label", "rows", "properties", "excluded"),
        (
            (
                _table_names(t),
                _label(t),
                _rows(t),
                t.properties,
                ", ".join(t.excluded),
            )
            for t in plan.tables
        ),
        right=("rows",),
    )


def _table_names(table: PlannedTable) -> tuple[str, ...]:
    """The table, and below it which of its rows are read."""
    words = ("where", *["and"] * len(table.row_filter))
    kept = (f"  {word} {c}" for word, c in zip(words, table.row_filter, strict=False))
    return (f"{table.source}/{table.table}", *kept)


def _label(table: PlannedTable) -> tuple[str, ...]:
    """The label, and below it further ones."""
    further = [f"  and {table.extra_labels}"] if table.extra_labels else []
    return (table.label or "(junction)", *further)


def _mapped(plan: Plan) -> Table:
    return grid(
        "Columns with another name or type",
        ("table", "columns"),
        (
            (f"{t.source}/{t.table}", t.mapped_properties)
            for t in plan.tables
            if t.mapped_properties
        ),
    )


def _withheld(plan: Plan) -> Table:
    return grid(
        "Withheld columns, new to a table with exclusion rules",
        ("table", "columns"),
        ((f"{t.source}/{t.table}", ", ".join(t.withheld)) for t in plan.tables if t.withheld),
    )


def _rows(table: PlannedTable) -> str:
    if table.rows is None:
        return "?"
    mark = {"estimate": "about ", "at least": "more than "}.get(table.rows_basis, "")
    return f"{mark}{table.rows:,}"


def _labels(plan: Plan) -> Table:
    return grid(
        "Labels",
        ("label", "change", "nodes now", "key"),
        ((x.label, _styled(x.change), x.nodes, _key(x)) for x in plan.labels),
    )


def _key(label: PlannedLabel) -> str:
    key = ", ".join(label.key) or "(none)"
    if label.change == "made anew":
        return f"{', '.join(label.former_key) or '(none)'} becomes {key}"
    return key if label.key else ""


def _properties(plan: Plan) -> Table:
    return grid(
        "Properties that change",
        ("property", "change", "type", "type now", "nodes"),
        (
            (
                f"{p.label}.{p.name}",
                _styled(p.change),
                " or ".join(p.types),
                " or ".join(p.former_types),
                p.nodes,
            )
            for p in plan.properties
        ),
    )


def _relationships(plan: Plan) -> Table:
    return grid(
        "Relationships",
        ("row", "relationship", "change", "now", "sampled references that have a match"),
        (
            (r.relationship_id, _pattern(r), _styled(r.change), r.relationships, _sample(r))
            for r in plan.relationships
        ),
    )


def _pattern(row: PlannedRelationships) -> str:
    if row.at_label is not None:
        return f"[{row.type}] at nodes of {row.at_label}"
    if row.from_label is None:
        return row.type
    by = f" by {' and '.join(row.compared)}" if row.compared else ""
    having = f" with {', '.join(row.properties)}" if row.properties else ""
    return f"({row.from_label})-[{row.type}]->({row.to_label}){by}{having}"


def _sample(row: PlannedRelationships) -> str:
    if row.sample is None:
        return ""
    if row.sample.problem:
        return f"not sampled: {row.sample.problem}"
    if not row.sample.sampled:
        return "no references"
    share = row.sample.matched / row.sample.sampled
    return f"{row.sample.matched:,} of {row.sample.sampled:,} ({share:.0%})"


def _schema(plan: Plan) -> Table:
    return grid(
        "Constraints and indexes",
        ("change", "kind", "label", "properties", "name"),
        (
            (_styled(s.change), s.kind, s.label, ", ".join(s.properties), s.name)
            for s in plan.schema_changes
        ),
    )


def _purges(plan: Plan) -> Table:
    return grid(
        "Personal data in the graph that the rules exclude",
        ("property", "rule", "nodes", "outcome", "reason"),
        (
            (
                f"{p.label}.{p.property}",
                p.treatment if p.rule_id is None else f"{p.treatment} (row {p.rule_id})",
                p.nodes,
                _styled(p.outcome),
                p.reason or "",
            )
            for p in plan.purges
        ),
    )


def _refusals(plan: Plan) -> Table:
    return grid(
        "Refused control rows",
        ("control table", "row", "why"),
        ((r.control_table, r.row_id, r.reason) for r in plan.refusals),
    )


def _inactive(plan: Plan) -> Table:
    labels, relationships = "node_label_mappings", "relationship_mappings"
    off = "inactive: a row that it needs is deactivated"
    return grid(
        "Inactive and undecided control rows",
        ("control table", "row", "why"),
        (
            *((labels, row, off) for row in plan.inactive_label_ids),
            *((relationships, row, off) for row in plan.inactive_relationship_ids),
            *(
                (relationships, row, "undecided: a source that it needs cannot be queried")
                for row in plan.waiting_relationships
            ),
        ),
    )


def _destroyed(plan: Plan) -> Table:
    return grid(
        "Destroyed permanently", ("what",), ((Text(what, style="red"),) for what in plan.destroyed)
    )


def _styled(word: str) -> Text:
    return Text(word, style=_STYLES.get(word, ""))


def plan(
    clear: Annotated[
        bool | None,
        typer.Option(
            "--clear/--reconcile",
            help="How to load: clear_database: true, or false.",
            show_default="C360_CLEAR_DATABASE, else --clear",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what a load would do to the graph, without writing anything.

    Compares the control rows, the sources and the graph. Lists tables to read, changes of labels,
    properties and relationships, constraints and indexes, personal data to remove, and refused control
    rows. Looks up a sample of up to 1,000 references of each relationship, also across databases.

    Exits with 2 if something would be destroyed. Exits with 1 if the load would be refused, or if the
    graph or a source cannot be queried; the rest of the plan is still printed. Otherwise exits with 0.

    **Examples**

    - `c360 plan` before a run that empties the graph first

    - `c360 plan --reconcile` before a run with `clear_database: false`

    - `c360 plan --json | jq .destroyed` in CI
    """
    with exit_on_error():
        settings = load_settings()
        is_clear = clears(clear, setting=settings.c360_clear_database, tags={})
        made = _make("clear" if is_clear else "reconcile", settings)
    if as_json:
        print_json(made.model_dump(mode="json"))
    else:
        for table in plan_tables(made):
            out.print(table)
    _conclude(made)


def _make(way: Way, settings: Settings) -> Plan:
    # Here, as most commands read no mapping, whose grammar takes 16 MB.
    from c360_graph.pipeline.plan import make_plan
    from c360_graph.pipeline.read_mapping import find_mapping_state

    control = ControlDatabase(control_credentials(settings))
    return make_plan(
        control=control,
        state=find_mapping_state(control, settings),
        open_graph=partial(target_graph, settings),
        server=f"{settings.neo4j_uri}/{settings.neo4j_database}",
        way=way,
        settings=settings,
    )


def _conclude(made: Plan) -> None:
    """The last lines, and the exit code."""
    if made.graph.refusal:
        err.print(f"[bold red]Refused:[/] {escape(made.graph.refusal)}", soft_wrap=True)
    for problem in made.problems:
        err.print(f"[bold red]Not queried:[/] {escape(problem)}", soft_wrap=True)
    for obstacle in made.obstacles:
        err.print(f"[bold red]A load would be refused:[/] {escape(obstacle)}", soft_wrap=True)
    for caution in made.cautions:
        err.print(f"[bold yellow]A load may break off:[/] {escape(caution)}", soft_wrap=True)
    if made.obstacles:
        raise typer.Exit(FAILED)
    if made.problems:
        say("The plan is incomplete.")
        raise typer.Exit(FAILED)
    if made.failing:
        for line in made.failing:
            err.print(f"[bold red]A run would fail:[/] {escape(line)}", soft_wrap=True)
    if made.failing or made.graph.refusal:
        raise typer.Exit(FAILED)
    if made.destroyed:
        say(
            f"A load would destroy {plural(len(made.destroyed), 'thing')}, listed above. Nothing was written."
        )
        raise typer.Exit(DESTROYS)
    say("A load would destroy nothing. Nothing was written.")
