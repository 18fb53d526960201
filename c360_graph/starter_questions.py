"""Questions about a graph to start from: written for the labels, properties and relationships that it has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count

from c360_graph.customer.lookup import CustomerGraph, entity_edges
from c360_graph.cypher.customers import find_repeated_value
from c360_graph.cypher.quoting import identifier, string_literal
from c360_graph.errors import GraphError
from c360_graph.mapping.catalog import ColumnType
from c360_graph.mapping.graph_manifest import GraphManifest, RelationshipPattern
from c360_graph.mapping.identities import RECORDS_COLUMN
from c360_graph.mapping.names import snake_case
from c360_graph.proposal.personal_names import IDENTIFYING, Kind, kind_by_name
from c360_graph.text import visible

MOST_COUNTED = 200
"""Labels, and kinds of relationships, that one question counts."""
MOST_SHARED = 5
"""Properties of which a question lists the values that several nodes have."""
MOST_LOOKED_AT = 30
_LONGEST_NAME = 60
_SHARED: frozenset[Kind] = IDENTIFYING | {"network address"}
_TEXT = ColumnType(name="text", base="text")

Property = tuple[str, str]
"""Label and property."""


def shared_properties(graph: CustomerGraph) -> tuple[Property, ...]:
    """Properties that identify something by their names, and of which several nodes have one value.

    Raises:
        GraphError: the graph cannot be read.
    """
    found: list[Property] = []
    for label, name in [*_identifying(graph.schema)][:MOST_LOOKED_AT]:
        try:
            if graph.rows(find_repeated_value(label, name)):
                found.append((label, name))
        except GraphError:
            # One that takes too long would also do so as a question.
            continue
        if len(found) == MOST_SHARED:
            break
    return tuple(found)


def starter_questions(schema: GraphManifest, shared: Sequence[Property]) -> dict[str, str]:
    """The text of each file by its path in a folder of questions.

    >>> schema = GraphManifest(labels={"Plan": ("name",)}, edges=(("FOLLOWS", "Plan", "Plan"),))
    >>> sorted(starter_questions(schema, [("Plan", "name")]))
    ['around_one_plan.cypher', 'nodes.cypher', 'pictures/around_one_plan.cypher',
     'relationships.cypher', 'shared_plan_name.cypher']

    Args:
        schema: what the graph has.
        shared: properties to list the values of that several nodes have.
    """
    files: dict[str, str] = {}
    for name, text in _named(schema, shared):
        short = name[:_LONGEST_NAME]
        # Names that differ in what a file's name does not show.
        number = next(n for n in count(1) if _numbered(short, n) not in files)
        files[_numbered(short, number)] = text
    return files


def _numbered(name: str, number: int) -> str:
    return f"{name}.cypher" if number == 1 else f"{name}_{number}.cypher"


def _named(schema: GraphManifest, shared: Sequence[Property]) -> Iterator[tuple[str, str]]:
    if schema.labels:
        yield "nodes", _nodes(schema)
    if schema.edges:
        label = _busiest(schema)
        name = f"around_one_{snake_case(label)}"
        yield "relationships", _relationships(schema.edges)
        yield name, _around(schema, label)
        yield f"pictures/{name}", _around_drawn(schema, label)
    for label in dict.fromkeys(edges[1] for edges in entity_edges(schema)):
        yield f"records_of_each_{snake_case(label)}", _records(label)
    for label, name in shared:
        yield f"shared_{snake_case(label)}_{snake_case(name)}", _shared(label, name)


def _identifying(schema: GraphManifest) -> Iterator[Property]:
    for label, names in schema.labels.items():
        for name in names:
            is_key = schema.keys.get(label) == (name,)
            if not is_key and kind_by_name(label, name, _TEXT) in _SHARED:
                yield label, name


def _busiest(schema: GraphManifest) -> str:
    """The label of entities, else the one with most kinds of relationships that has a key."""
    entities = [edges[1] for edges in entity_edges(schema)]
    if entities:
        return entities[0]
    counts = {label: sum(label in e[1:] for e in schema.edges) for label in schema.labels}
    return max(counts, key=lambda label: (counts[label], label in schema.keys))


def _nodes(schema: GraphManifest) -> str:
    parts = (
        f"  MATCH (n:{identifier(label)}) RETURN {string_literal(label)} AS label, count(*) AS nodes"
        for label in [*schema.labels][:MOST_COUNTED]
    )
    return _file(
        "Nodes of each label",
        "How many nodes each label has.",
        "CALL () {",
        "\n  UNION ALL\n".join(parts),
        "}",
        "RETURN label, nodes ORDER BY nodes DESC, label",
        chart="bar of nodes by label",
    )


def _relationships(edges: Iterable[RelationshipPattern]) -> str:
    parts = (
        f"  MATCH (:{identifier(start)})-[r:{identifier(kind)}]->(:{identifier(end)})"
        f" RETURN {string_literal(start)} AS from_label, {string_literal(kind)} AS relationship,"
        f" {string_literal(end)} AS to_label, count(r) AS relationships"
        for kind, start, end in [*edges][:MOST_COUNTED]
    )
    return _file(
        "Relationships of each type",
        "How many relationships there are between which labels.",
        "CALL () {",
        "\n  UNION ALL\n".join(parts),
        "}",
        "RETURN from_label, relationship, to_label, relationships",
        "ORDER BY relationships DESC, relationship, from_label, to_label",
        chart="bar of relationships by relationship",
    )


def _one(schema: GraphManifest, label: str) -> str:
    """Cypher for one node of a label that has relationships, the same each time where it has a key."""
    key = schema.keys.get(label, ())
    order = ", ".join(f"n.{identifier(name)}" for name in key) or "elementId(n)"
    return (
        f"MATCH (n:{identifier(label)}) WHERE EXISTS {{ (n)--() }} WITH n ORDER BY {order} LIMIT 1"
    )


def _around(schema: GraphManifest, label: str) -> str:
    return _file(
        f"Around one {label}",
        f"What the first {label} with a relationship is related to. Change the first line for another.",
        _one(schema, label),
        "MATCH (n)-[r]-(m)",
        "RETURN type(r) AS relationship, startNode(r) = n AS starts_there, labels(m) AS labels,",
        "  count(DISTINCT m) AS nodes",
        "ORDER BY nodes DESC, relationship, labels",
    )


def _around_drawn(schema: GraphManifest, label: str) -> str:
    return _file(
        f"Around one {label}",
        f"The first {label} with a relationship, what it is related to, and what that is related to.",
        _one(schema, label),
        "MATCH (n)-[r]-(m)",
        "WITH n, r, m LIMIT 40",
        "CALL (n, r, m) {",
        "  RETURN n AS a, r AS tie, m AS b",
        "  UNION",
        "  MATCH (m)-[tie]-(b) WHERE b <> n RETURN m AS a, tie, b LIMIT 3",
        "}",
        f"WITH DISTINCT a, tie, b, {_caption(schema, 'a')} AS of_a, {_caption(schema, 'b')} AS of_b",
        "RETURN {id: elementId(a), kind: head(labels(a)), caption: of_a} AS source, type(tie) AS relationship,",
        "  {id: elementId(b), kind: head(labels(b)), caption: of_b} AS target",
        "ORDER BY source.id, relationship, target.id",
    )


def _caption(schema: GraphManifest, variable: str) -> str:
    """The key of a node as text, else its label."""
    cases = (
        f"WHEN {variable}:{identifier(label)} THEN toString({variable}.{identifier(key[0])})"
        for label, key in schema.keys.items()
        if len(key) == 1
    )
    known = " ".join(cases)
    label = f"head(labels({variable}))"
    return f"coalesce(CASE {known} END, {label})" if known else label


def _records(label: str) -> str:
    records = f"n.{identifier(RECORDS_COLUMN)}"
    return _file(
        f"Records of each {label}",
        f"How many {label} have so many records.",
        f"MATCH (n:{identifier(label)})",
        f"RETURN {records} AS records, count(*) AS nodes ORDER BY records",
        chart="bar of nodes by records",
    )


def _shared(label: str, name: str) -> str:
    return _file(
        f"Values of {name} that several {label} have",
        f"The values of {name} that most {label} share.",
        f"MATCH (n:{identifier(label)}) WHERE n.{identifier(name)} IS NOT NULL",
        f"WITH n.{identifier(name)} AS value, count(*) AS nodes WHERE nodes > 1",
        "RETURN value, nodes ORDER BY nodes DESC, value LIMIT 20",
    )


def _file(title: str, description: str, *lines: str, chart: str | None = None) -> str:
    facts = [f"title: {_line(title)}", f"description: {_line(description)}"]
    facts += [f"chart: {chart}"] if chart else []
    return "\n".join([*(f"// {fact}" for fact in facts), *lines, ""])


def _line(text: str) -> str:
    """Names come from databases; a comment has one line."""
    return visible(" ".join(text.split()))
