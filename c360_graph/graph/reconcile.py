"""Brings a graph that is being read to the state of the extracts, removing nothing too early.

Where the graph is as the last load left it, and that load's extracts are kept, only what differs between
them and those of now is sent. Else every row is compared with the graph itself.

Nodes first, label by label: made, changed, then those of no row removed. Then the relationships.
Last what mappings that are gone left behind. What others wrote stays: other labels and types, and
properties that we never wrote.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from c360_graph.cypher import counts_and_deletes, merges
from c360_graph.cypher.weights import DELETE_BATCH_ROWS
from c360_graph.errors import GraphError
from c360_graph.graph.batching import Batching
from c360_graph.graph.connection import Graph
from c360_graph.graph.counts import check_counts, count_by_label, count_graph
from c360_graph.graph.desired import Changes, Desired, LinkChanges, RowChanges
from c360_graph.graph.execution import Execution
from c360_graph.graph.load_session import LoadCallbacks, refuse_losing_tables, under_way
from c360_graph.graph.manifest import (
    KnownState,
    count_between,
    is_as_left,
    mark_broken,
    mark_whole,
    read_state,
)
from c360_graph.graph.node_sync import NodeChanges, NodeSync
from c360_graph.graph.progress import ProgressMeter
from c360_graph.graph.relationship_sync import RelationshipChanges, RelationshipSync
from c360_graph.graph.schema_sync import SchemaSync
from c360_graph.graph.state import read_relationship_counts
from c360_graph.graph.target_lock import Claim
from c360_graph.mapping.graph_manifest import GraphManifest, RelationshipPattern, pattern_name
from c360_graph.plan.decisions import (
    GraphFacts,
    LoadDecision,
    decide,
    extras_to_remove,
    label_conflicts,
    properties_to_count,
    relationship_properties_to_remove,
)
from c360_graph.plan.model import LabelChange


class KnownGraph:
    """Answers None, or False, wherever only the graph itself can tell."""

    def __init__(self, desired: Desired, manifest: GraphManifest, changes: Changes | None) -> None:
        self._desired, self._old, self._changes = desired, manifest, changes

    def label_is_unchanged(self, label: str) -> bool:
        """Whether the label's nodes are those of the extracts of now."""
        tables = [extract.table.qualified_name for extract in self._desired.extracts_of(label)]
        rows = self._desired.header.labels.get(label)
        return self._same_digests(tables) and self._old.nodes.get(label) == rows

    def rows(self, label: str) -> list[RowChanges] | None:
        """What changed in the tables of a label that has a key."""
        if self._changes is None:
            return None
        tables = [extract.table for extract in self._desired.extracts_of(label)]
        before = [self._changes.rows_before(table.qualified_name) for table in tables]
        if None in before or sum(filter(None, before)) != self._old.nodes.get(label):
            return None
        found = [self._changes.of_table(table) for table in tables]
        told = [change for change in found if change is not None]
        return told if len(told) == len(found) else None

    def edges_are_unchanged(self, edges: RelationshipPattern) -> bool:
        """Whether the relationships are those that the extracts of now make."""
        junctions = [
            "/".join(mapping.junction.table)
            for mapping in self._desired.mappings_of(edges)
            if mapping.junction
        ]
        return self._same_digests([pattern_name(edges), *junctions]) and all(
            self.label_is_unchanged(label) for label in edges[1:]
        )

    def links(self, edges: RelationshipPattern) -> LinkChanges | None:
        """Which relationships to add and to remove, once the nodes were brought along."""
        mappings = self._desired.mappings_of(edges)
        if self._changes is None or len(mappings) != 1:
            return None
        if not self._same_digests([pattern_name(edges)]):
            return None
        return self._changes.of_mapping(mappings[0])

    def relationships(self, kind: str) -> int:
        """Relationships of a type that there were."""
        return self._old.relationships.get(kind, 0)

    def _same_digests(self, names: Iterable[str]) -> bool:
        old, new = self._old.digests, self._desired.manifest.digests
        return self._changes is not None and all(
            bool(new.get(name)) and old.get(name) == new[name] for name in names
        )


def known_graph(execution: Execution, known: KnownState | None, desired: Desired) -> KnownGraph:
    """What is known; nothing where the graph is not as its manifest says.

    Raises:
        StatementError: the server refuses.
    """
    if known is None or desired.changes is None or not is_as_left(execution, known):
        return KnownGraph(desired, GraphManifest(), None)
    return KnownGraph(desired, known.manifest, desired.changes(known.manifest.digests))


__all__ = ["Desired", "Reconciled", "Reconciliation", "reconcile"]

_TITLE = "Reconciling"


@dataclass(frozen=True, kw_only=True)
class Reconciled:
    """What was changed and what the graph holds now."""

    seconds: float
    nodes: dict[str, int]
    relationships: dict[str, int]
    relationships_before: dict[str, int]
    """Only of types that are ours, or were."""
    changed_nodes: dict[str, NodeChanges]
    changed_relationships: dict[str, RelationshipChanges]
    purged_properties: tuple[str, ...]

    @property
    def changes(self) -> dict[str, int]:
        """All changes as totals."""
        nodes, edges = self.changed_nodes.values(), self.changed_relationships.values()
        # Counted by what is left: many go with their nodes.
        before = sum(self.relationships_before.values())
        after = sum(self.relationships.get(kind, 0) for kind in self.relationships_before)
        created = sum(change.created for change in edges)
        return {
            "nodes_created": sum(change.created for change in nodes),
            "nodes_updated": sum(change.updated for change in nodes),
            "nodes_deleted": sum(change.deleted for change in nodes),
            "relationships_created": created,
            "relationships_deleted": before + created - after,
            "properties_purged": len(self.purged_properties),
        }


class Reconciliation:
    """One load of the second way."""

    def __init__(
        self,
        execution: Execution,
        desired: Desired,
        *,
        meter: ProgressMeter,
        sessions: int,
        warn: Callable[[str], None],
    ) -> None:
        self._execution = execution
        self._desired = desired
        self._nodes = NodeSync(
            execution, meter, sessions=sessions, max_removed_share=desired.max_removed_share
        )
        self._relationships = RelationshipSync(execution, meter, sessions=sessions)
        self._schema = SchemaSync(execution, desired.node_tables, kept=desired.kept)
        self._told: set[str | RelationshipPattern] = set()
        """Labels and edges that were brought along by what is known alone."""
        self._warn = warn
        self._batching = Batching(execution)
        self._begin = time.monotonic()
        _, self._before = count_graph(lambda text: execution.ask("Counting", text))

    def run(self) -> Reconciled:
        """Do it all.

        Raises:
            StatementError: a statement failed.
            GraphError: more of a label would be removed than is allowed, or the graph has what is left
                out; nothing was changed.
            CountMismatchError: the graph holds other counts than the extracts.
        """
        state = read_state(self._execution)
        old = state.manifest if state else GraphManifest()
        refuse_losing_tables(self._desired.header, old)
        conflicts = list(label_conflicts(self._desired.manifest, old))
        if conflicts:
            raise GraphError(f"{' '.join(conflicts)} Nothing was changed.")
        decision = self._decide(old)
        desired = self._desired
        for caution in self._schema.refuse_blocked(
            decision, desired.mappings, desired.manifest.labels
        ):
            self._warn(caution)
        self._refuse_great_loss(decision)
        self._known = known_graph(self._execution, state, self._desired)
        under_way = old.joined(self._desired.manifest)
        mark_broken(self._execution, under_way.model_copy(update={"others": decision.others(old)}))
        self._schema.drop_outdated_constraints()
        purged = self._purge(decision)
        self._remove_extra_labels(old)
        self._remove_relationship_properties(old)
        changed = {
            label: self._sync_label(label, decision.labels[label])
            for label in self._desired.manifest.labels
        }
        self._schema.make_indexes(self._desired.mappings)
        edges = {name: self._sync_edges(name) for name in self._desired.manifest.edges}
        edges |= self._remove_edges(decision.relationships_that_are("removed"))
        edges |= self._mend(edges)
        changed |= self._remove_labels(decision.labels_that_are("removed"))
        self._execution.remove_marks()
        return self._result(changed, edges, purged, kept=self._kept(old, decision))

    def _decide(self, old: GraphManifest) -> LoadDecision:
        """As `c360 plan` decides: what this executes is what that shows."""
        desired = self._desired.manifest
        labels = [*dict.fromkeys((*desired.labels, *old.labels))]
        facts = GraphFacts(
            listed=old,
            nodes=count_by_label(partial(self._execution.ask, _TITLE), labels),
            relationships=read_relationship_counts(
                dict.fromkeys((*desired.edges, *old.edges)),
                listed=old,
                of_types=self._before,
                between=partial(count_between, self._execution),
            ),
            holders={
                (label, name): self._nodes.count_holders(label, name)
                for label, name in properties_to_count(desired, old)
            },
        )
        return decide(desired=desired, kept=self._desired.kept, facts=facts)

    def _kept(self, old: GraphManifest, decision: LoadDecision) -> GraphManifest:
        """What rows that are refused made before, with what was known of others beside it."""
        kept = old.known_of(self._desired.kept)
        return kept.model_copy(update={"others": decision.others(old).known_of(kept)})

    def _refuse_great_loss(self, decision: LoadDecision) -> None:
        """Before anything is touched: a source that lost most of its rows is more likely at fault.

        Nodes that no load of ours made are removed too, but for those that a row has the key of.
        """
        for label in self._desired.manifest.labels:
            existing = self._nodes.count(label)
            if decision.labels[label] == "taken over":
                extracts = self._desired.extracts_of(label)
                left = self._nodes.count_matched(label, extracts)
            else:
                left = self._desired.header.labels.get(label, 0)
            self._nodes.refuse_loss(label, existing=existing, removed=existing - left)

    def _purge(self, decision: LoadDecision) -> tuple[str, ...]:
        """Properties that were ours and are no more: of columns excluded since, or gone."""
        for label, name in decision.purged:
            self._execution.run_in_batches(
                _TITLE,
                merges.purge_property(label, name),
                batch_rows=self._batching.nodes(label),
            )
        return tuple(f"{label}.{name}" for label, name in decision.purged)

    def _remove_extra_labels(self, old: GraphManifest) -> None:
        """Off the nodes of tables that are still mapped: rows that changed are told apart by those of now."""
        tables = {table.qualified_name: table for table in self._desired.node_tables}
        for label, qualified_name, name in extras_to_remove(self._desired.manifest, old):
            table = tables.get(qualified_name)
            if table is not None and table.node_label == label:
                self._execution.run_in_batches(
                    _TITLE, merges.purge_label(table, name), batch_rows=self._batching.nodes(label)
                )

    def _remove_relationship_properties(self, old: GraphManifest) -> None:
        manifest, kept = self._desired.manifest, self._desired.kept
        for edges, name in relationship_properties_to_remove(manifest, old, kept):
            self._execution.run_in_batches(
                _TITLE,
                merges.purge_relationship_property(edges, name),
                batch_rows=self._batching.relationships(edges[0]),
            )

    def _sync_label(self, label: str, change: LabelChange) -> NodeChanges:
        if self._known.label_is_unchanged(label):
            self._schema.constrain(label)
            self._told.add(label)
            return NodeChanges()
        extracts = self._desired.extracts_of(label)
        if change == "made anew" or not all(extract.table.key for extract in extracts):
            # Nodes of another key would break the new constraint, so it is made after they went.
            has_key = self._schema.has_key(label)
            replaced = self._nodes.replace(label, extracts, old_first=has_key)
            self._schema.constrain(label)
            return replaced
        self._schema.constrain(label)
        told = self._known.rows(label)
        if told is None:
            return self._nodes.merge(label, extracts)
        self._told.add(label)
        return self._nodes.change(label, told)

    def _sync_edges(self, edges: RelationshipPattern) -> RelationshipChanges:
        if self._told.issuperset(edges[1:]):
            unchanged = self._known.edges_are_unchanged(edges)
            links = None if unchanged else self._known.links(edges)
            if unchanged or links is not None:
                self._told.add(edges)
            if links is not None:
                return self._relationships.change(links)
            if unchanged:
                return RelationshipChanges()
        return self._compare_edges(edges)

    def _compare_edges(self, edges: RelationshipPattern) -> RelationshipChanges:
        """By what the graph has."""
        mappings = self._desired.mappings_of(edges)
        is_adjustable = len(mappings) == 1 and mappings[0].junction is None
        # Where there are none yet, making them as a first load does takes less than comparing.
        if is_adjustable and self._relationships.count(edges):
            return self._relationships.adjust(mappings[0], self._desired.index)
        return self._relationships.replace(edges, mappings, self._desired.index)

    def _mend(
        self, changed: dict[RelationshipPattern, RelationshipChanges]
    ) -> dict[RelationshipPattern, RelationshipChanges]:
        """Compare those after all that have another count than what is known of them gives."""
        mended: dict[RelationshipPattern, RelationshipChanges] = {}
        for kind in dict.fromkeys(edges[0] for edges in changed):
            alike = {edges: change for edges, change in changed.items() if edges[0] == kind}
            if not self._told.issuperset(alike):
                continue
            expected = self._known.relationships(kind) + sum(
                change.created - change.deleted for change in alike.values()
            )
            existing = self._relationships.count_type(kind)
            if existing != expected:
                self._warn(
                    f"There are {existing:,} relationships {kind} where {expected:,} were expected; they"
                    " are compared with the nodes one by one."
                )
                mended |= {edges: self._compare_edges(edges) for edges in alike}
        return mended

    def _remove_edges(
        self, outdated: Iterable[RelationshipPattern]
    ) -> dict[RelationshipPattern, RelationshipChanges]:
        return {
            edges: RelationshipChanges(deleted=self._relationships.delete(edges))
            for edges in outdated
        }

    def _remove_labels(self, outdated: Iterable[str]) -> dict[str, NodeChanges]:
        removed = {}
        for label in outdated:
            removed[label] = NodeChanges(deleted=self._nodes.count(label))
            for text in counts_and_deletes.delete_relationships_of_label(label):
                self._execution.run_in_batches(_TITLE, text, batch_rows=DELETE_BATCH_ROWS)
            self._execution.run_in_batches(
                _TITLE,
                counts_and_deletes.delete_label(label),
                batch_rows=self._batching.nodes(label),
            )
        return removed

    def _result(
        self,
        changed: dict[str, NodeChanges],
        edges: dict[RelationshipPattern, RelationshipChanges],
        purged: tuple[str, ...],
        *,
        kept: GraphManifest,
    ) -> Reconciled:
        nodes, relationships = count_graph(lambda text: self._execution.ask("Counting", text))
        check_counts(nodes, self._desired.header.labels)
        manifest = self._desired.manifest.joined(kept).model_copy(
            update={
                name: getattr(self._desired.manifest, name)
                for name in ("digests", "rules", "refused", "excluded")
            }
        )
        between = count_between(self._execution, manifest.edges)
        counted = manifest.with_counts(nodes=nodes, relationships=relationships, between=between)
        mark_whole(self._execution, counted)
        return Reconciled(
            seconds=time.monotonic() - self._begin,
            nodes=nodes,
            relationships=relationships,
            relationships_before={kind: self._before.get(kind, 0) for kind, _, _ in edges},
            changed_nodes=changed,
            changed_relationships={f"({e[1]})-[{e[0]}]->({e[2]})": c for e, c in edges.items()},
            purged_properties=purged,
        )


def reconcile(
    graph: Graph,
    desired: Desired,
    *,
    sessions: int = 2,
    listener: LoadCallbacks | None = None,
    claim: Claim | None = None,
) -> Reconciled:
    """Bring a graph to the state of the extracts.

    Raises:
        LoadLockedError, GraphOwnedError: see `under_way`.
        StatementError, GraphError, CountMismatchError: see `Reconciliation.run`.
    """
    told = listener or LoadCallbacks()
    with under_way(graph, told, claim or Claim(owner=desired.header.owner)) as (execution, meter):
        return Reconciliation(
            execution, desired, meter=meter, sessions=sessions, warn=told.warn
        ).run()
