"""Brings the constraints and indexes of ours to what the mapping needs."""

from __future__ import annotations

from collections.abc import Iterable

from c360_graph.cypher import holding, schema
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
        for name in own_names(self._execution, holding.show_constraints()):
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
        for name in own_names(self._execution, holding.show_indexes()):
            if name not in wanted:
                self._execution.run_repeatable(_TITLE, schema.drop_index(name))
        for index in indexes:
            self._execution.run_repeatable(_TITLE, schema.create_index(index))
        self._execution.run_repeatable(_TITLE, schema.await_indexes(INDEX_WAIT_SECONDS))


def own_names(execution: Execution, shown: str) -> list[str]:
    """Names of ours in `show_constraints()` or `show_indexes()`.

    Raises:
        StatementError: the server refuses.
    """
    rows = execution.ask(_TITLE, shown, prefix=schema.NAME_PREFIX)
    return [row["name"] for row in rows]
