"""Brings the constraints and indexes of ours to what the mapping needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from c360_graph.cypher import holding, schema
from c360_graph.cypher.schema import LabelProperties
from c360_graph.cypher.script import INDEX_WAIT_SECONDS
from c360_graph.errors import GraphError
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.mapping.model import RelationshipMapping, TableMapping
from c360_graph.neo4j_loader.execution import Execution

_TITLE = "The schema"


class SchemaSync:
    """Those of others are left alone: ours have names that begin alike.

    So are those of `kept` labels, which rows that were refused may need again.
    """

    def __init__(
        self, execution: Execution, tables: Iterable[TableMapping], *, kept: GraphManifest
    ) -> None:
        self._execution = execution
        self._tables = tuple(tables)
        self._kept = {*kept.labels, *(label for edges in kept.edges for label in edges[1:])}
        self._keys = schema.keys(self._tables)

    def refuse_blocked(self) -> None:
        """Make sure that no index of others blocks a constraint, before anything is changed.

        Raises:
            GraphError: one does; names it.
        """
        refuse_blocked_constraints(self._execution, self._keys)

    def drop_outdated_constraints(self) -> None:
        """Drop those that no key of now needs, and indexes of ours that block one."""
        for index in self._keys:
            self._execution.run_repeatable(_TITLE, schema.drop_index(schema.index_name(index)))
        wanted = {schema.constraint_name(key) for key in self._keys}
        for name in self._outdated(holding.show_constraints(), wanted):
            self._execution.run_repeatable(_TITLE, schema.drop_constraint(name))

    def constrain(self, label: str) -> None:
        """Make the constraints of a label: one for each key of its tables."""
        for key in self._keys:
            if key.label == label:
                self._execution.run_repeatable(_TITLE, schema.create_constraint(key))

    def has_key(self, label: str) -> bool:
        """Whether a table of the label has a key."""
        return any(key.label == label for key in self._keys)

    def make_indexes(self, mappings: tuple[RelationshipMapping, ...]) -> None:
        """Drop outdated indexes, make those that the mappings seek by, and wait for them."""
        indexes = schema.indexes(self._tables, mappings)
        wanted = {schema.index_name(index) for index in indexes}
        for name in self._outdated(holding.show_indexes(), wanted):
            self._execution.run_repeatable(_TITLE, schema.drop_index(name))
        for index in indexes:
            self._execution.run_repeatable(_TITLE, schema.create_index(index))
        self._execution.run_repeatable(_TITLE, schema.await_indexes(INDEX_WAIT_SECONDS))

    def _outdated(self, shown: str, wanted: Collection[str]) -> list[str]:
        return [
            name
            for name, label in own_names(self._execution, shown).items()
            if name not in wanted and label not in self._kept
        ]


def refuse_blocked_constraints(execution: Execution, keys: Collection[LabelProperties]) -> None:
    """Make sure that no index of others keeps the constraints of these keys from being made.

    Raises:
        GraphError: one does; names it.
        StatementError: the server refuses.
    """
    rows = execution.ask(_TITLE, holding.show_indexes_of_others(), prefix=schema.NAME_PREFIX)
    others = {
        row["name"]: LabelProperties(label=row["label"], properties=tuple(row["properties"]))
        for row in rows
    }
    blocking = schema.blocking_indexes(others, keys)
    if blocking:
        raise GraphError(" ".join(schema.blocked_constraint(*found) for found in blocking.items()))


def own_names(execution: Execution, shown: str) -> dict[str, str]:
    """Names of ours in `show_constraints()` or `show_indexes()`, with the label that each is for.

    Raises:
        StatementError: the server refuses.
    """
    rows = execution.ask(_TITLE, shown, prefix=schema.NAME_PREFIX)
    return {row["name"]: row["label"] for row in rows}
