"""Brings the constraints and indexes of ours to what the mapping needs."""

from __future__ import annotations

from collections.abc import Iterable

from c360_graph.cypher import schema
from c360_graph.cypher.script import INDEX_WAIT_SECONDS
from c360_graph.mapping.model import RelationshipMapping, TableMapping
from c360_graph.neo4j_loader.execution import Execution

_TITLE = "The schema"


class SchemaSync:
    """Those of others are left alone: ours have names that begin alike."""

    def __init__(self, execution: Execution, tables: Iterable[TableMapping]) -> None:
        self._execution = execution
        self._tables = tuple(tables)
        self._keys = schema.keys(self._tables)

    def drop_outdated_constraints(self) -> None:
        """Drop those that no key of now needs."""
        wanted = {schema.constraint_name(key) for key in self._keys}
        for name in self._own_names("SHOW CONSTRAINTS YIELD name"):
            if name not in wanted:
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
        shown = "SHOW INDEXES YIELD name, owningConstraint WHERE owningConstraint IS NULL"
        for name in self._own_names(shown):
            if name not in wanted:
                self._execution.run_repeatable(_TITLE, schema.drop_index(name))
        for index in indexes:
            self._execution.run_repeatable(_TITLE, schema.create_index(index))
        self._execution.run_repeatable(_TITLE, schema.await_indexes(INDEX_WAIT_SECONDS))

    def _own_names(self, shown: str) -> list[str]:
        rows = self._execution.ask(_TITLE, f"{shown} RETURN name")
        return [row["name"] for row in rows if row["name"].startswith(schema.NAME_PREFIX)]
