"""One statement for the nodes of many small tables, and one for the relationships of many mappings.

The server plans each text anew, which takes longer than creating a few rows does. Here labels, types and names
of properties are parameters (`dynamic labels
<https://neo4j.com/docs/cypher-manual/current/clauses/create/#dynamic-create>`_), so that small tables share a
plan. Values are converted by the same functions as in a script's own statements, and equal the same values.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from typing import Any

from pydantic import Field

from c360_graph.cypher.quoting import planned_once, statement, string_literal
from c360_graph.cypher.weights import JOIN_BATCH_ROWS
from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.model import NodeTable, RelationshipEnd, RelationshipMapping
from c360_graph.mapping.property_types import conversions, property_type

MANY_LABELS = 20
"""With fewer labels a script gains less than planning these statements costs."""
SMALL_TABLE_ROWS = 2_000
"""Of a larger table, choosing the conversion of each value takes longer than planning."""
SCAN_OF_ALL = "AllNodesScan"
"""How servers before 2025.08 find the nodes of a label that is a parameter."""


class GeneralNodes(Frozen):
    """What a batch of nodes needs to be created by the statement of all small tables.

    `properties` are the names of the property types by property, in the order of a row's columns. `of` is the
    fingerprint of what creates them in the script, where somebody may have changed it.
    """

    properties: dict[str, str]
    null_mark: str = "\\N"
    of: str = ""


class GeneralEnd(Frozen):
    """An end that is looked up: its property equals the driving node's, for each of the pairs."""

    label: str
    pairs: tuple[tuple[str, str], ...] = Field(min_length=1)


class GeneralRelationships(Frozen):
    """What a mapping's relationships need to be created by the statement of all small tables.

    An end that is None is the driving node. `of` is the fingerprint of the script's own statement.
    """

    start: GeneralEnd | None = None
    end: GeneralEnd | None = None
    copied: tuple[str, ...] = ()
    of: str = ""


def fingerprint_statement(text: str) -> str:
    """Sixteen characters that are others for another text.

    >>> fingerprint_statement("CREATE (:Plan)")
    'b65fd989ba1a24f2'
    """
    return sha256(text.encode()).hexdigest()[:16]


def general_nodes(table: NodeTable, *, created: str, null_mark: str) -> GeneralNodes | None:
    """None where the nodes have more than a label and the properties of their columns."""
    if table.label_is_shared or table.extra.all:
        return None
    zone = table.source.time_zone
    types = {
        prop.column: property_type(prop.type, treatment=prop.treatment, time_zone=zone).name
        for prop in table.properties
    }
    return GeneralNodes(properties=types, null_mark=null_mark, of=fingerprint_statement(created))


def general_relationships(mapping: RelationshipMapping, text: str) -> GeneralRelationships | None:
    """None where only some tables of a label take part."""
    if mapping.from_tables or mapping.to_tables:
        return None
    sought = {end.side: _end(end) for end in mapping.sought}
    return GeneralRelationships(
        start=sought.get("from"),
        end=sought.get("to"),
        copied=mapping.copied,
        of=fingerprint_statement(text),
    )


def _end(end: RelationshipEnd) -> GeneralEnd:
    return GeneralEnd(label=end.label, pairs=end.pairs)


def create_any_nodes(unwound: str, null_mark: str) -> str:
    r"""Behind what gives each row as the list `row`: its node, by `$label`, `$names` and `$types`.

    >>> print(create_any_nodes("CYPHER 5 UNWIND $rows AS row", r"\N")[:99])
    CYPHER 5 UNWIND $rows AS row
    WITH [value IN row | nullIf(value, '\\N')] AS row
    CREATE (n:$($label))
    """
    return (
        f"{unwound}\nWITH [value IN row | nullIf(value, {string_literal(null_mark)})] AS row"
        "\nCREATE (n:$($label))"
        "\nFOREACH (i IN range(0, size($names) - 1) |"
        f" SET n[$names[i]] = CASE $types[i] {_conversions()} END)"
    )


def nodes_parameters(label: str, general: GeneralNodes) -> dict[str, Any]:
    """The parameters of `create_any_nodes`.

    >>> nodes_parameters("Plan", GeneralNodes(properties={"id": "INTEGER"}))
    {'label': 'Plan', 'names': ['id'], 'types': ['INTEGER']}
    """
    return {
        "label": label,
        "names": [*general.properties],
        "types": [*general.properties.values()],
    }


@cache
def _conversions() -> str:
    return " ".join(
        f"WHEN {string_literal(name)} THEN {convert('row[i]')}"
        for name, convert in conversions().items()
    )


def create_any_relationships(general: GeneralRelationships) -> str:
    """The relationships of a mapping, by the parameters of `relationships_parameters`.

    >>> end = GeneralEnd(label="Account", pairs=(("account_id", "account_id"),))
    >>> print(create_any_relationships(GeneralRelationships(start=end)))
    CYPHER 5 replan=skip MATCH (row:$($driving)) MATCH (a:$($start)) WHERE a[$start_property] =
    row[$start_column] AND all(pair IN $start_pairs WHERE a[pair[0]] = row[pair[1]]) CALL (row,
    a) { CREATE (a)-[x:$($type)]->(row) FOREACH (name IN $copied | SET x[name] = row[name]) } IN
    TRANSACTIONS OF 10000 ROWS
    """
    sought = {"a": ("start", general.start), "b": ("end", general.end)}
    found = {variable: side for variable, (side, end) in sought.items() if end is not None}
    start = "a" if "a" in found else "row"
    end = "b" if "b" in found else "row"
    return planned_once(
        statement(
            "MATCH (row:$($driving)) "
            + " ".join(_seek(variable, side) for variable, side in found.items())
            + f" CALL ({', '.join(['row', *found])}) {{ CREATE ({start})-[x:$($type)]->({end})"
            " FOREACH (name IN $copied | SET x[name] = row[name]) }"
            f" IN TRANSACTIONS OF {JOIN_BATCH_ROWS} ROWS"
        )
    )


def _seek(variable: str, side: str) -> str:
    return (
        f"MATCH ({variable}:$(${side}))"
        f" WHERE {variable}[${side}_property] = row[${side}_column]"
        f" AND all(pair IN ${side}_pairs WHERE {variable}[pair[0]] = row[pair[1]])"
    )


def relationships_parameters(
    relationship_type: str, driving: str, general: GeneralRelationships
) -> Mapping[str, Any]:
    """The parameters of `create_any_relationships`.

    >>> end = GeneralEnd(label="Plan", pairs=(("plan_id", "plan_id"),))
    >>> relationships_parameters("HAS_PLAN", "Account", GeneralRelationships(end=end))
    {'type': 'HAS_PLAN', 'driving': 'Account', 'copied': [], 'end': 'Plan', 'end_property':
    'plan_id', 'end_column': 'plan_id', 'end_pairs': []}
    """
    given: dict[str, Any] = {
        "type": relationship_type,
        "driving": driving,
        "copied": [*general.copied],
    }
    for side, end in (("start", general.start), ("end", general.end)):
        if end is not None:
            (name, column), *others = end.pairs
            given |= {
                side: end.label,
                f"{side}_property": name,
                f"{side}_column": column,
                f"{side}_pairs": [list(pair) for pair in others],
            }
    return given
