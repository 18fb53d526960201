"""Constraints and indexes: which ones the mapping needs, and the statements that make them."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from c360_graph.cypher.quoting import identifier, statement
from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.model import TABLE_PROPERTY, RelationshipMapping, TableMapping
from c360_graph.mapping.table_index import sought_columns

NAME_PREFIX = "c360_"
"""Names of ours begin so; the rest is a hash, so that an outdated one is never mistaken for it."""


class LabelProperties(Frozen):
    """A label and some of its properties, in order."""

    label: str
    properties: tuple[str, ...]


def keys(tables: Iterable[TableMapping]) -> tuple[LabelProperties, ...]:
    """The uniqueness constraints: one for each distinct key of a label, none for a table without."""
    found: dict[LabelProperties, None] = {}
    for table in tables:
        if table.node_label is not None and table.key:
            shared = (TABLE_PROPERTY,) if table.label_is_shared else ()
            found[LabelProperties(label=table.node_label, properties=shared + table.key)] = None
    return tuple(found)


def indexes(
    tables: Iterable[TableMapping], relationships: Iterable[RelationshipMapping]
) -> tuple[LabelProperties, ...]:
    """The indexes that relationships seek by, and those of identifiers, which no constraint gives already."""
    mapped = tuple(tables)
    constrained = {(key.label, frozenset(key.properties)) for key in keys(mapped)}
    found: dict[LabelProperties, None] = {}
    identifiers = (
        (table.node_label, (name,))
        for table in mapped
        if table.node_label is not None
        for name in table.identified_by
    )
    for label, columns in (*sought_columns(relationships), *identifiers):
        if (label, frozenset(columns)) not in constrained:
            found[LabelProperties(label=label, properties=columns)] = None
    return tuple(found)


def constraint_name(key: LabelProperties) -> str:
    """The name of a constraint of ours.

    >>> constraint_name(LabelProperties(label="Account", properties=("account_id",)))
    'c360_key_a4a5bd0582cd5457'
    """
    return _name("key", key)


def index_name(index: LabelProperties) -> str:
    """The name of an index of ours.

    >>> index_name(LabelProperties(label="Account", properties=("email",)))
    'c360_index_0d1814f5dea5babe'
    """
    return _name("index", index)


def create_constraint(key: LabelProperties) -> str:
    """A uniqueness constraint that may exist already.

    >>> print(create_constraint(LabelProperties(label="Account", properties=("account_id",))))
    CYPHER 5 CREATE CONSTRAINT `c360_key_a4a5bd0582cd5457` IF NOT EXISTS FOR (n:`Account`)
    REQUIRE (n.`account_id`) IS UNIQUE
    """
    properties = ", ".join(f"n.{identifier(name)}" for name in key.properties)
    return statement(
        f"CREATE CONSTRAINT {identifier(constraint_name(key))} IF NOT EXISTS"
        f" FOR (n:{identifier(key.label)}) REQUIRE ({properties}) IS UNIQUE"
    )


def create_index(index: LabelProperties) -> str:
    """A range index that may exist already.

    >>> print(create_index(LabelProperties(label="Account", properties=("email",))))
    CYPHER 5 CREATE INDEX `c360_index_0d1814f5dea5babe` IF NOT EXISTS FOR (n:`Account`) ON
    (n.`email`)
    """
    properties = ", ".join(f"n.{identifier(name)}" for name in index.properties)
    return statement(
        f"CREATE INDEX {identifier(index_name(index))} IF NOT EXISTS"
        f" FOR (n:{identifier(index.label)}) ON ({properties})"
    )


def drop_constraint(name: str) -> str:
    """Remove a constraint that may be gone already.

    >>> print(drop_constraint("c360_key_0e17"))
    CYPHER 5 DROP CONSTRAINT `c360_key_0e17` IF EXISTS
    """
    return statement(f"DROP CONSTRAINT {identifier(name)} IF EXISTS")


def drop_index(name: str) -> str:
    """Remove an index that may be gone already.

    >>> print(drop_index("c360_index_0d18"))
    CYPHER 5 DROP INDEX `c360_index_0d18` IF EXISTS
    """
    return statement(f"DROP INDEX {identifier(name)} IF EXISTS")


def await_indexes(seconds: int) -> str:
    """Wait until every index answers.

    >>> print(await_indexes(3600))
    CYPHER 5 CALL db.awaitIndexes(3600)
    """
    return statement(f"CALL db.awaitIndexes({seconds})")


def _name(kind: str, what: LabelProperties) -> str:
    text = "\x00".join((what.label, *what.properties))
    return f"{NAME_PREFIX}{kind}_{sha256(text.encode()).hexdigest()[:16]}"
