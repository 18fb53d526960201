"""Brings a graph that is being read to the state of the extracts, removing nothing too early.

Nodes first, label by label: made, changed, then those of no row removed. Then the relationships.
Last what mappings that are gone left behind. What others wrote stays: other labels and types, and
properties that we never wrote.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from c360_graph.cypher import cleanup, reconciling, schema
from c360_graph.cypher.script import INDEX_WAIT_SECONDS, ScriptHeader, TableExtract, script_manifest
from c360_graph.mapping.graph_manifest import Edges, GraphManifest, edges_name, edges_of
from c360_graph.mapping.model import RelationshipMapping, TableMapping
from c360_graph.neo4j_loader.counts import check_counts, count_graph
from c360_graph.neo4j_loader.execution import Execution
from c360_graph.neo4j_loader.graph import Graph
from c360_graph.neo4j_loader.manifest import KnownState, mark_broken, mark_whole, read_state
from c360_graph.neo4j_loader.node_sync import NodeChanges, NodeSync
from c360_graph.neo4j_loader.progress import ProgressMeter
from c360_graph.neo4j_loader.relationship_sync import RelationshipChanges, RelationshipSync
from c360_graph.neo4j_loader.under_way import Listener, under_way

_TITLE = "Reconciling"


@dataclass(frozen=True, kw_only=True)
class Desired:
    """What the graph shall be. `kept` is left as it is: labels and edges of rows that were refused."""

    header: ScriptHeader
    extracts: tuple[TableExtract, ...]
    mappings: tuple[RelationshipMapping, ...]
    kept: GraphManifest = field(default_factory=GraphManifest)
    max_removed_share: float = 0.3

    @cached_property
    def manifest(self) -> GraphManifest:
        """What of the graph will be ours."""
        return script_manifest(self.extracts, self.mappings)


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """What was changed and what the graph holds now."""

    seconds: float
    nodes: dict[str, int]
    relationships: dict[str, int]
    changed_nodes: dict[str, NodeChanges]
    changed_relationships: dict[str, RelationshipChanges]
    purged_properties: tuple[str, ...]

    @property
    def changes(self) -> dict[str, int]:
        """All changes as totals."""
        nodes, edges = self.changed_nodes.values(), self.changed_relationships.values()
        return {
            "nodes_created": sum(change.created for change in nodes),
            "nodes_updated": sum(change.updated for change in nodes),
            "nodes_deleted": sum(change.deleted for change in nodes),
            "relationships_created": sum(change.created for change in edges),
            "relationships_deleted": sum(change.deleted for change in edges),
            "properties_purged": len(self.purged_properties),
        }


class Reconciliation:
    """One load of the second way."""

    def __init__(
        self, execution: Execution, desired: Desired, *, meter: ProgressMeter, sessions: int
    ) -> None:
        self._execution = execution
        self._desired = desired
        self._nodes = NodeSync(
            execution, meter, sessions=sessions, max_removed_share=desired.max_removed_share
        )
        self._relationships = RelationshipSync(execution, meter)
        self._extracts = {extract.table.asset_key: extract for extract in desired.extracts}
        self._begin = time.monotonic()

    def run(self) -> Reconciled:
        """Do it all.

        Raises:
            StatementError: a statement failed.
            GraphError: more of a label would be removed than is allowed; nothing of it was.
            CountMismatchError: the graph holds other counts than the extracts.
        """
        known = read_state(self._execution)
        old = known.manifest if known else GraphManifest()
        self._refuse_great_loss(old)
        mark_broken(self._execution, old.joined(self._desired.manifest))
        self._make_constraints()
        purged = self._purge(old)
        changed = {label: self._sync_label(label, known) for label in self._desired.manifest.labels}
        self._make_indexes()
        edges = {
            name: self._sync_edges(name, known, changed) for name in self._desired.manifest.edges
        }
        gone = old.without(self._desired.manifest.joined(self._desired.kept))
        edges |= self._remove_edges(gone.edges)
        changed |= self._remove_labels(gone.labels)
        self._execution.remove_marks()
        return self._result(changed, edges, purged)

    def _refuse_great_loss(self, old: GraphManifest) -> None:
        """Before anything is touched: a source that lost most of its rows is more likely at fault."""
        for label, rows in self._desired.header.labels.items():
            if label in old.labels:
                there = self._nodes.count(label)
                self._nodes.refuse_loss(label, there=there, removed=there - rows)

    def _make_constraints(self) -> None:
        keys = schema.keys(self._tables())
        wanted = {schema.constraint_name(key) for key in keys}
        for name in self._own_names("SHOW CONSTRAINTS YIELD name"):
            if name not in wanted:
                self._execution.run_repeatable(_TITLE, schema.drop_constraint(name))
        # A label whose key changed is emptied before its constraint is made: see _sync_label.
        self._constraints = {key.label: schema.create_constraint(key) for key in keys}

    def _make_indexes(self) -> None:
        indexes = schema.indexes(self._tables(), self._desired.mappings)
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

    def _purge(self, old: GraphManifest) -> tuple[str, ...]:
        """Properties that were ours and are no more: of columns excluded since, or gone."""
        purged = []
        for label, names in self._desired.manifest.labels.items():
            for name in old.labels.get(label, ()):
                if name not in names:
                    self._execution.run_repeatable(_TITLE, reconciling.purge_property(label, name))
                    purged.append(f"{label}.{name}")
        return tuple(purged)

    def _sync_label(self, label: str, known: KnownState | None) -> NodeChanges:
        extracts = [e for e in self._desired.extracts if e.table.node_label == label]
        constraint = self._constraints.get(label)
        old_key = known.manifest.keys.get(label) if known else None
        key = self._desired.manifest.keys.get(label)
        all_keyed = all(extract.table.key for extract in extracts)
        key_changed = known is not None and label in known.manifest.labels and old_key != key
        if key_changed or (not all_keyed and not self._is_unchanged(label, extracts, known)):
            change = self._nodes.replace(label, extracts, old_first=constraint is not None)
            self._constrain(constraint)
            return change
        self._constrain(constraint)
        return self._nodes.merge(label, extracts) if all_keyed else NodeChanges()

    def _constrain(self, constraint: bytes | None) -> None:
        if constraint is not None:
            self._execution.run_repeatable(_TITLE, constraint)

    def _is_unchanged(
        self, label: str, extracts: Iterable[TableExtract], known: KnownState | None
    ) -> bool:
        """Whether the nodes of a label without key are known to be those of these extracts."""
        return (
            self._same_digests([extract.table.place for extract in extracts], known)
            and self._nodes.count(label) == self._desired.header.labels[label]
        )

    def _sync_edges(
        self, edges: Edges, known: KnownState | None, changed: dict[str, NodeChanges]
    ) -> RelationshipChanges:
        mappings = [m for m in self._desired.mappings if edges_of(m) == edges]
        if len(mappings) == 1 and mappings[0].junction is None:
            return self._relationships.adjust(mappings[0])
        name = edges_name(edges)
        places = ["/".join(m.junction.table) for m in mappings if m.junction]
        if (
            not any(changed[label].any for label in edges[1:] if label in changed)
            and self._same_digests([name, *places], known)
            and known is not None
            and known.manifest.counts.get(name) == self._relationships.count(edges)
        ):
            return RelationshipChanges()
        return self._relationships.replace(edges, mappings, self._extracts)

    def _same_digests(self, names: list[str], known: KnownState | None) -> bool:
        if known is None or not known.is_whole:
            return False
        old, new = known.manifest.digests, self._desired.manifest.digests
        return all(new.get(name) and old.get(name) == new[name] for name in names)

    def _remove_edges(self, gone: Iterable[Edges]) -> dict[Edges, RelationshipChanges]:
        return {
            edges: RelationshipChanges(deleted=self._relationships.delete(edges)) for edges in gone
        }

    def _remove_labels(self, gone: Iterable[str]) -> dict[str, NodeChanges]:
        removed = {}
        for label in gone:
            self._execution.run_repeatable(_TITLE, cleanup.delete_relationships_of_label(label))
            counted = self._execution.run_repeatable(_TITLE, cleanup.delete_label(label))
            removed[label] = NodeChanges(deleted=counted.nodes_deleted)
        return removed

    def _tables(self) -> list[TableMapping]:
        return [extract.table for extract in self._desired.extracts]

    def _result(
        self,
        changed: dict[str, NodeChanges],
        edges: dict[Edges, RelationshipChanges],
        purged: tuple[str, ...],
    ) -> Reconciled:
        nodes, relationships = count_graph(lambda text: self._execution.ask("Counting", text))
        check_counts(nodes, self._desired.header)
        counts = {edges_name(e): self._relationships.count(e) for e in self._desired.manifest.edges}
        manifest = self._desired.manifest.joined(self._desired.kept)
        mark_whole(
            self._execution,
            manifest.model_copy(
                update={"counts": counts, "digests": self._desired.manifest.digests}
            ),
        )
        return Reconciled(
            seconds=time.monotonic() - self._begin,
            nodes=nodes,
            relationships=relationships,
            changed_nodes=changed,
            changed_relationships={f"({e[1]})-[{e[0]}]->({e[2]})": c for e, c in edges.items()},
            purged_properties=purged,
        )


def reconcile(
    graph: Graph, desired: Desired, *, sessions: int = 2, listener: Listener | None = None
) -> Reconciled:
    """Bring a graph to the state of the extracts.

    Raises:
        StatementError, GraphError, CountMismatchError: see `Reconciliation.run`.
    """
    with under_way(graph, listener or Listener()) as (execution, meter):
        return Reconciliation(execution, desired, meter=meter, sessions=sessions).run()
