"""What is known of a graph that is as the last load left it, and so need not be read from it."""

from __future__ import annotations

from collections.abc import Iterable

from c360_graph.mapping.graph_manifest import Edges, GraphManifest, edges_name
from c360_graph.neo4j_loader.changes import Changes, LinkChanges, RowChanges
from c360_graph.neo4j_loader.desired import Desired
from c360_graph.neo4j_loader.execution import Execution
from c360_graph.neo4j_loader.manifest import KnownState, is_as_left


class KnownGraph:
    """Answers None, or False, wherever only the graph itself can tell."""

    def __init__(self, desired: Desired, manifest: GraphManifest, changes: Changes | None) -> None:
        self._desired, self._old, self._changes = desired, manifest, changes

    def label_is_unchanged(self, label: str) -> bool:
        """Whether the label's nodes are those of the extracts of now."""
        places = [extract.table.place for extract in self._desired.extracts_of(label)]
        rows = self._desired.header.labels.get(label)
        return self._same_digests(places) and self._old.nodes.get(label) == rows

    def rows(self, label: str) -> list[RowChanges] | None:
        """What changed in the tables of a label that has a key."""
        if self._changes is None:
            return None
        places = [extract.table.place for extract in self._desired.extracts_of(label)]
        before = [self._changes.rows_before(place) for place in places]
        if None in before or sum(filter(None, before)) != self._old.nodes.get(label):
            return None
        found = [self._changes.of_table(place) for place in places]
        told = [change for change in found if change is not None]
        return told if len(told) == len(found) else None

    def edges_are_unchanged(self, edges: Edges) -> bool:
        """Whether the relationships are those that the extracts of now make."""
        junctions = [
            "/".join(mapping.junction.table)
            for mapping in self._desired.mappings_of(edges)
            if mapping.junction
        ]
        return self._same_digests([edges_name(edges), *junctions]) and all(
            self.label_is_unchanged(label) for label in edges[1:]
        )

    def links(self, edges: Edges) -> LinkChanges | None:
        """Which relationships to add and to remove, once the nodes were brought along."""
        mappings = self._desired.mappings_of(edges)
        if self._changes is None or len(mappings) != 1:
            return None
        if not self._same_digests([edges_name(edges)]):
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
