"""Constraints and indexes: which ones the mapping needs, the statements that make them, and which the graph has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from c360_graph.cypher.quoting import identifier, statement
from c360_graph.mapping.control_rows import Frozen
from c360_graph.mapping.model import (
    TABLE_PROPERTY,
    NodeTable,
    RelationshipMapping,
    grouped,
    sought_columns,
)

NAME_PREFIX = "c360_"
"""Names of ours begin so; the rest is a hash, so that an outdated one is never mistaken for it."""


class LabelProperties(Frozen):
    """A label and some of its properties, in order."""

    label: str
    properties: tuple[str, ...]


def keys(tables: Iterable[NodeTable]) -> tuple[LabelProperties, ...]:
    """The uniqueness constraints: one for each distinct key of a label, none for a table without.

    None either for a key whose columns another table of the label has too, and may repeat values in.
    """
    mapped = tuple(tables)
    of_label = grouped(mapped, lambda table: table.node_label)
    return tuple(
        dict.fromkeys(
            _key_of(table)
            for table in mapped
            if table.key
            and not any(_may_repeat(other, table) for other in of_label[table.node_label])
        )
    )


def _key_of(table: NodeTable) -> LabelProperties:
    shared = (TABLE_PROPERTY,) if table.label_is_shared else ()
    return LabelProperties(label=table.node_label, properties=shared + table.key)


def _may_repeat(other: NodeTable, table: NodeTable) -> bool:
    """Whether rows of another table of the label may be alike in the columns of a table's key."""
    if other.asset_key == table.asset_key:
        return False
    columns = set(table.key)
    has_them = columns <= {prop.column for prop in other.properties}
    return has_them and not (other.key and set(other.key) <= columns)


def indexes(
    tables: Iterable[NodeTable], relationships: Iterable[RelationshipMapping]
) -> tuple[LabelProperties, ...]:
    """The indexes of keys, of what relationships seek by, and of identifiers, which no constraint gives already."""
    mapped = tuple(tables)
    constrained = {(key.label, frozenset(key.properties)) for key in keys(mapped)}
    other_keys = (
        (key.label, key.properties)
        for key in map(_key_of, mapped)
        if key.properties not in ((), (TABLE_PROPERTY,))
    )
    found: dict[LabelProperties, None] = {}
    identifiers = ((table.node_label, (name,)) for table in mapped for name in table.identified_by)
    for label, columns in (*other_keys, *sought_columns(relationships), *identifiers):
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


Named = Mapping[str, LabelProperties]
"""Constraints or indexes on nodes, by name."""


@dataclass(frozen=True, kw_only=True)
class GraphSchema:
    """Ours and those of others. Only uniqueness constraints and range indexes on nodes can be in the way;
    `other_names` says of every other name in use whether it is a `constraint` or an `index`.
    """

    constraints: Named = field(default_factory=dict)
    indexes: Named = field(default_factory=dict)
    constraints_of_others: Named = field(default_factory=dict)
    indexes_of_others: Named = field(default_factory=dict)
    other_names: Mapping[str, str] = field(default_factory=dict)

    def has_constraint(self, key: LabelProperties) -> bool:
        """Whether a key is unique already, by whomever: Neo4j makes no second constraint."""
        return key in (*self.constraints.values(), *self.constraints_of_others.values())

    def has_index_of_others(self, index: LabelProperties) -> bool:
        """Whether others have the index, so that Neo4j makes none of ours."""
        return index in (*self.indexes_of_others.values(), *self.constraints_of_others.values())

    def obstacles(
        self, keys: Iterable[LabelProperties], indexes: Iterable[LabelProperties]
    ) -> Iterator[str]:
        """Why constraints on these keys, or these indexes, cannot be made."""
        for key in keys:
            yield from self._blocking(key)
            yield from self._of_same_name(constraint_name(key), "uniqueness constraint", key)
        for index in indexes:
            yield from self._of_same_name(index_name(index), "index", index)

    def cautions(
        self, keys: Iterable[LabelProperties], labels: Mapping[str, Iterable[str]]
    ) -> Iterator[str]:
        """Uniqueness constraints of others that rows may break; `labels` are our properties by label.

        One that has all properties of a key of ours cannot be broken.
        """
        unique = [(key.label, frozenset(key.properties)) for key in keys]
        for name, what in self.constraints_of_others.items():
            properties = frozenset(what.properties)
            if what.label not in labels or not properties <= frozenset(labels[what.label]):
                continue
            if not any(label == what.label and key <= properties for label, key in unique):
                yield (
                    f"The uniqueness constraint {name} of others on {_on(what)} breaks a load off when"
                    " two rows have the same values. Make sure that no rows do, or run"
                    f" `DROP CONSTRAINT {identifier(name)}`."
                )

    def _blocking(self, key: LabelProperties) -> Iterator[str]:
        # Neo4j has one range index for the same properties of a label, in the same order, and a
        # uniqueness constraint needs an index of its own.
        for name, index in self.indexes_of_others.items():
            if index == key:
                yield (
                    f"The index {name} on {_on(index)} keeps the uniqueness constraint on the same"
                    f" properties from being made. Nothing was changed. Run `DROP INDEX"
                    f" {identifier(name)}` and load again: the constraint brings an index of its own."
                )

    def _of_same_name(self, name: str, what: str, on: LabelProperties) -> Iterator[str]:
        # IF NOT EXISTS passes over a name in use, whatever it is on, and ours would be missing.
        kind = self.other_names.get(name)
        if kind is not None:
            yield (
                f"The {kind} {name} is on something else, and its name is that of our {what} on"
                f" {_on(on)}. Nothing was changed. Run `DROP {kind.upper()} {identifier(name)}`, make"
                " it under another name if it is needed, and load again."
            )


def graph_schema(
    constraints: Iterable[Mapping[str, Any]], indexes: Iterable[Mapping[str, Any]]
) -> GraphSchema:
    """From the rows of `holding.show_constraints` and `holding.show_indexes`.

    A name that begins like ours does not make it ours: it has to be the one for just these properties.
    """
    ours: dict[str, dict[str, LabelProperties]] = {"constraint": {}, "index": {}}
    others: dict[str, dict[str, LabelProperties]] = {"constraint": {}, "index": {}}
    names: dict[str, str] = {}
    for kind, row in (
        *(("constraint", row) for row in constraints),
        *(("index", row) for row in indexes),
    ):
        name = row["name"]
        what = _what(row)
        if what is not None and name in (constraint_name(what), index_name(what)):
            ours[kind][name] = what
            continue
        names[name] = kind
        if what is not None:
            others[kind][name] = what
    return GraphSchema(
        constraints=ours["constraint"],
        indexes=ours["index"],
        constraints_of_others=others["constraint"],
        indexes_of_others=others["index"],
        other_names=names,
    )


def _what(row: Mapping[str, Any]) -> LabelProperties | None:
    """What it is on, where it can be one of ours or be in the way of one."""
    unique = row["type"].endswith(("UNIQUENESS", "KEY"))
    if row["entityType"] != "NODE" or not (unique or row["type"] == "RANGE"):
        return None
    return LabelProperties(label=row["labelsOrTypes"][0], properties=tuple(row["properties"]))


def duplicates_of_key(key: LabelProperties, count: int) -> str:
    """What to say where several nodes have the same key, so that no constraint can be made.

    >>> duplicates_of_key(LabelProperties(label="Account", properties=("email",)), 2)
    '2 keys of Account (email) are on several nodes each, which keeps the uniqueness constraint
    from being made: others made copies. Nothing was changed. Remove the copies and load again,
    or load with clear_database: true.'
    """
    return (
        f"{count:,} keys of {_on(key)} are on several nodes each, which keeps the uniqueness constraint"
        " from being made: others made copies. Nothing was changed. Remove the copies and load"
        " again, or load with clear_database: true."
    )


def _on(what: LabelProperties) -> str:
    return f"{what.label} ({', '.join(what.properties)})"
