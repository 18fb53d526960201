"""Brings the constraints and indexes of ours to what the mapping needs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from c360_graph.cypher import holding, schema
from c360_graph.cypher.schema import (
    GraphSchema,
    LabelProperties,
    Named,
    duplicates_of_key,
    graph_schema,
)
from c360_graph.cypher.script_writer import INDEX_WAIT_SECONDS
from c360_graph.errors import GraphError
from c360_graph.graph.execution import Execution
from c360_graph.mapping.graph_manifest import GraphManifest
from c360_graph.mapping.model import NodeTable, RelationshipMapping
from c360_graph.plan.decisions import LoadDecision, keys_to_constrain

_TITLE = "The schema"
Mappings = tuple[RelationshipMapping, ...]


class SchemaSync:
    """Those of others are left alone: ours have names made of what they are on.

    So are those of `kept` labels, which rows that were refused may need again.
    """

    def __init__(
        self, execution: Execution, tables: Iterable[NodeTable], *, kept: GraphManifest
    ) -> None:
        self._execution = execution
        self._tables = tuple(tables)
        self._kept = {*kept.labels, *(label for edges in kept.edges for label in edges[1:])}
        self._keys = schema.keys(self._tables)

    def refuse_blocked(
        self, decision: LoadDecision, mappings: Mappings, labels: Mapping[str, Iterable[str]]
    ) -> tuple[str, ...]:
        """Make sure that our constraints and indexes can be made, before anything is changed.

        Returns what may break the load off all the same; `labels` are our properties by label.

        Raises:
            GraphError: they cannot; says why.
        """
        existing = read_graph_schema(self._execution)
        reasons = [*existing.obstacles(self._keys, schema.indexes(self._tables, mappings))]
        for key in keys_to_constrain(decision, self._keys, existing):
            text = holding.count_duplicates(key.label, key.properties)
            copies = int(self._execution.ask(_TITLE, text)[0]["count"])
            if copies:
                reasons.append(duplicates_of_key(key, copies))
        if reasons:
            raise GraphError(" ".join(reasons))
        return tuple(existing.cautions(self._keys, labels))

    def drop_outdated_constraints(self) -> None:
        """Drop those that no key of now needs, and indexes of ours that block one."""
        existing = read_graph_schema(self._execution)
        for index in self._keys:
            if schema.index_name(index) in existing.indexes:
                self._execution.run_repeatable(_TITLE, schema.drop_index(schema.index_name(index)))
        wanted = {schema.constraint_name(key) for key in self._keys}
        for name in self._outdated(existing.constraints, wanted):
            self._execution.run_repeatable(_TITLE, schema.drop_constraint(name))

    def constrain(self, label: str) -> None:
        """Make the constraints of a label: one for each key of its tables."""
        for key in self._keys:
            if key.label == label:
                self._execution.run_repeatable(_TITLE, schema.create_constraint(key))

    def has_key(self, label: str) -> bool:
        """Whether a table of the label has a key."""
        return any(key.label == label for key in self._keys)

    def make_indexes(self, mappings: Mappings) -> None:
        """Drop outdated indexes, make those that the mappings seek by, and wait for them."""
        indexes = schema.indexes(self._tables, mappings)
        wanted = {schema.index_name(index) for index in indexes}
        existing = read_graph_schema(self._execution)
        for name in self._outdated(existing.indexes, wanted):
            self._execution.run_repeatable(_TITLE, schema.drop_index(name))
        for index in indexes:
            if existing.has_index_of_others(index):
                continue
            self._execution.run_repeatable(_TITLE, schema.create_index(index))
        self._execution.run_repeatable(_TITLE, schema.await_indexes(INDEX_WAIT_SECONDS))

    def _outdated(self, existing: Named, wanted: Collection[str]) -> list[str]:
        return [
            name
            for name, what in existing.items()
            if name not in wanted and what.label not in self._kept
        ]


def refuse_blocked(
    execution: Execution,
    *,
    keys: Collection[LabelProperties],
    indexes: Callable[[], Collection[LabelProperties]],
) -> None:
    """Make sure that nothing of others keeps these from being made in a graph that is emptied.

    `indexes` is called only where a name of others looks like ours: a long script is read for it.

    Raises:
        GraphError: something does; names it.
        StatementError: the server refuses.
    """
    existing = read_graph_schema(execution)
    alike = any(name.startswith(schema.NAME_PREFIX) for name in existing.other_names)
    reasons = tuple(existing.obstacles(keys, indexes() if alike else ()))
    if reasons:
        raise GraphError(" ".join(reasons))


def read_graph_schema(execution: Execution) -> GraphSchema:
    """The constraints and indexes of a graph.

    Raises:
        StatementError: the server refuses.
    """
    return graph_schema(
        execution.ask(_TITLE, holding.show_constraints()),
        execution.ask(_TITLE, holding.show_indexes()),
    )
