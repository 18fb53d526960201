"""Constraints and indexes that a graph has: which are ours, and which of others stand in the way of ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from c360_graph.cypher.quoting import identifier
from c360_graph.cypher.schema import LabelProperties, constraint_name, index_name

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
