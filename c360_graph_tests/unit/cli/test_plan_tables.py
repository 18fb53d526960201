"""A plan as an operator sees it."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from c360_graph.cli.plan import plan_tables
from c360_graph.mapping.control_rows import Refusal
from c360_graph.plan.model import (
    PartnerSample,
    Plan,
    PlannedGraph,
    PlannedLabel,
    PlannedProperty,
    PlannedPurge,
    PlannedRelationships,
    PlannedSource,
    PlannedTable,
)

PLAN = Plan(
    way="reconcile",
    graph=PlannedGraph(server="bolt://x/neo4j", state="loaded", nodes=1_005, relationships=7),
    sources=(PlannedSource(source="crm_db", tables=1, problem="it is down [/] now"),),
    tables=(
        PlannedTable(
            source="crm_db",
            table="customers",
            label="Customer",
            rows=1_200_000,
            rows_basis="estimate",
            properties=3,
            excluded=("email",),
        ),
    ),
    labels=(PlannedLabel(label="Purchase", change="removed", nodes=5, destroys=True),),
    properties=(
        PlannedProperty(
            label="Customer",
            name="born",
            change="changed",
            types=("STRING",),
            former_types=("DATE",),
        ),
    ),
    relationships=(
        PlannedRelationships(
            type="KNOWS",
            from_label="Customer",
            to_label="Customer",
            change="new",
            relationship_id=3,
            relationships=0,
            sample=PartnerSample(sampled=1_000, matched=930),
        ),
    ),
    purges=(
        PlannedPurge(
            label="Customer",
            property="email",
            treatment="exclude",
            nodes=40,
            outcome="removed",
            rule_id=2,
            reason="PII",
        ),
    ),
    refusals=(Refusal(control_table="node_label_mappings", row_id=4, reason="no such table"),),
    inactive_relationship_ids=(9,),
    destroyed=("5 nodes of Purchase (gone)",),
)


def printed(plan: Plan, *, terminal: bool = False, no_color: bool = False) -> str:
    file = StringIO()
    console = Console(file=file, width=100, force_terminal=terminal, no_color=no_color)
    for table in plan_tables(plan):
        console.print(table)
    return file.getvalue()


def words(text: str) -> list[list[str]]:
    """The cells of each line that has any."""
    lines = [line for line in text.splitlines() if line[0] in "│┃"]
    return [[cell.strip() for cell in line[1:-1].replace("┃", "│").split("│")] for line in lines]


def test_every_part_that_has_something_to_say_is_a_table() -> None:
    assert words(printed(PLAN)) == [
        ["way", "clear_database: false, the graph is updated to the state of the sources"],
        ["graph", "bolt://x/neo4j was loaded by this project, 1,005 nodes and 7 relationships"],
        ["source", "tables", "answers"],
        ["crm_db", "1", "it is down [/] now"],
        ["table", "label", "rows", "properties", "excluded"],
        ["crm_db/customers", "Customer", "about 1,200,000", "3", "email"],
        ["label", "change", "nodes now", "key"],
        ["Purchase", "removed", "5", ""],
        ["property", "change", "type", "type now", "nodes"],
        ["Customer.born", "changed", "STRING", "DATE", ""],
        ["row", "relationship", "change", "now", "sampled references that have a match"],
        ["3", "(Customer)-[KNOWS]->(Customer)", "new", "0", "930 of 1,000 (93%)"],
        ["property", "rule", "nodes", "outcome", "reason"],
        ["Customer.email", "exclude (row 2)", "40", "removed", "PII"],
        ["control table", "row", "why"],
        ["node_label_mappings", "4", "no such table"],
        ["control table", "row", "why"],
        ["relationship_mappings", "9", "inactive: a row that it needs is deactivated"],
        ["what"],
        ["5 nodes of Purchase (gone)"],
    ]


def test_colours_are_for_terminals_only() -> None:
    assert "\x1b[" not in printed(PLAN)
    assert "\x1b[31mremoved" in printed(PLAN, terminal=True)
    assert "\x1b[31m" not in printed(PLAN, terminal=True, no_color=True)


def test_what_a_row_says_of_a_table_stands_below_it_line_by_line() -> None:
    (table,) = PLAN.tables
    more = {
        "row_filter": ("a = '[b]\n'", "c > 1"),
        "extra_labels": "Party",
        "mapped_properties": ("no -> number", "mail -> contact"),
    }
    told = words(printed(PLAN.model_copy(update={"tables": (table.model_copy(update=more),)})))
    assert told[5:8] == [
        ["crm_db/customers", "Customer", "about 1,200,000", "3", "email"],
        ["where a = '[b]\\n'", "and Party", "", "", ""],
        ["and c > 1", "", "", "", ""],
    ]
    assert told[9:11] == [["crm_db/customers", "no -> number"], ["", "mail -> contact"]]
