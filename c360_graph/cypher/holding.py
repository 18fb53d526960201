"""Statements that ask what a graph holds, by counts and bounded samples; none writes."""

from __future__ import annotations

from c360_graph.cypher.quoting import identifier, statement
from c360_graph.mapping.control_rows import Treatment

SAMPLE_NODES = 1_000

_LOOKS_TREATED = {"hash": "[0-9a-f]{64}", "mask": "[*]*.{0,4}"}
"""Regular expressions of what a treatment leaves (see property_types)."""


def sample_property_types(label: str) -> str:
    """`name` and `types` of the properties that some nodes of a label have.

    >>> print(sample_property_types("Account"))
    CYPHER 5 MATCH (n:`Account`) WITH n LIMIT 1000 UNWIND keys(n) AS name WITH name,
    collect(DISTINCT valueType(n[name])) AS types RETURN name, types ORDER BY name
    """
    return statement(
        f"MATCH (n:{identifier(label)}) WITH n LIMIT {SAMPLE_NODES}"
        " UNWIND keys(n) AS name"
        " WITH name, collect(DISTINCT valueType(n[name])) AS types"
        " RETURN name, types ORDER BY name"
    )


def count_holders(label: str, name: str) -> str:
    """Nodes of a label that have a property, as `count`.

    >>> print(count_holders("Account", "email"))
    CYPHER 5 MATCH (n:`Account`) WHERE n.`email` IS NOT NULL RETURN count(n) AS count
    """
    return statement(
        f"MATCH (n:{identifier(label)}) WHERE n.{identifier(name)} IS NOT NULL"
        " RETURN count(n) AS count"
    )


def count_properties_but(label: str) -> str:
    """`name` and `count` of nodes for the properties of a label that are not in `$names`, in one pass.

    >>> print(count_properties_but("Account"))
    CYPHER 5 MATCH (n:`Account`) UNWIND [name IN keys(n) WHERE NOT name IN $names] AS name
    RETURN name, count(n) AS count ORDER BY name
    """
    return statement(
        f"MATCH (n:{identifier(label)})"
        " UNWIND [name IN keys(n) WHERE NOT name IN $names] AS name"
        " RETURN name, count(n) AS count ORDER BY name"
    )


def count_relationships_but(label: str) -> str:
    """`type` and `count` of the relationships at nodes of a label that are none of `$edges`.

    Each of `$edges` is a type, the label they start from and the label they end at. Those between two
    nodes of the label are met once.
    """
    name = identifier(label)
    none_of = (
        "NOT any(e IN $edges WHERE e[0] = type(r)"
        " AND e[1] IN labels(startNode(r)) AND e[2] IN labels(endNode(r)))"
    )
    return statement(
        f"CALL () {{ MATCH (:{name})-[r]->() WHERE {none_of} RETURN r"
        f" UNION ALL MATCH (:{name})<-[r]-(x) WHERE NOT x:{name} AND {none_of} RETURN r }}"
        " RETURN type(r) AS type, count(r) AS count ORDER BY type"
    )


def count_untreated(label: str, name: str, treatment: Treatment) -> str:
    """Nodes of a label whose property does not look as the treatment would leave it, as `count`.

    >>> print(count_untreated("Account", "email", "hash"))
    CYPHER 5 MATCH (n:`Account`) WHERE n.`email` IS NOT NULL AND NOT
    coalesce(toStringOrNull(n.`email`) =~ '(?s)[0-9a-f]{64}', false) RETURN count(n) AS count
    """
    value = f"n.{identifier(name)}"
    return statement(
        f"MATCH (n:{identifier(label)}) WHERE {value} IS NOT NULL"
        f" AND NOT coalesce(toStringOrNull({value}) =~ '(?s){_LOOKS_TREATED[treatment]}', false)"
        " RETURN count(n) AS count"
    )


def count_duplicates(label: str, properties: tuple[str, ...]) -> str:
    """Values of these properties that several nodes of a label have, as `count`.

    >>> print(count_duplicates("Account", ("email",)))
    CYPHER 5 MATCH (n:`Account`) WHERE n.`email` IS NOT NULL WITH n.`email` AS v0, count(*) AS
    nodes WHERE nodes > 1 RETURN count(*) AS count
    """
    names = [f"n.{identifier(name)}" for name in properties]
    existing = " AND ".join(f"{name} IS NOT NULL" for name in names)
    values = ", ".join(f"{name} AS v{number}" for number, name in enumerate(names))
    return statement(
        f"MATCH (n:{identifier(label)}) WHERE {existing} WITH {values}, count(*) AS nodes"
        " WHERE nodes > 1 RETURN count(*) AS count"
    )


def show_constraints() -> str:
    """`name`, `type`, `entityType`, `labelsOrTypes` and `properties` of all constraints.

    >>> print(show_constraints())
    SHOW CONSTRAINTS YIELD name, type, entityType, labelsOrTypes, properties RETURN name, type,
    entityType, labelsOrTypes, properties ORDER BY name
    """
    return (
        "SHOW CONSTRAINTS YIELD name, type, entityType, labelsOrTypes, properties"
        " RETURN name, type, entityType, labelsOrTypes, properties ORDER BY name"
    )


def show_indexes() -> str:
    """The same of indexes that no constraint has.

    >>> print(show_indexes())
    SHOW INDEXES YIELD name, type, entityType, labelsOrTypes, properties, owningConstraint WHERE
    owningConstraint IS NULL RETURN name, type, entityType, labelsOrTypes, properties ORDER BY
    name
    """
    return (
        "SHOW INDEXES YIELD name, type, entityType, labelsOrTypes, properties, owningConstraint"
        " WHERE owningConstraint IS NULL"
        " RETURN name, type, entityType, labelsOrTypes, properties ORDER BY name"
    )


def count_broken_indexes() -> str:
    """How many indexes, those of constraints too, cannot be used, or not yet.

    >>> print(count_broken_indexes())
    SHOW INDEXES YIELD state WHERE state <> 'ONLINE' RETURN count(*) AS count
    """
    return "SHOW INDEXES YIELD state WHERE state <> 'ONLINE' RETURN count(*) AS count"
