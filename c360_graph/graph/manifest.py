"""The manifest in the graph: read, marked as broken before a load, written whole after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

from pydantic import ValidationError

from c360_graph.cypher import manifest as text
from c360_graph.errors import GraphError
from c360_graph.graph.connection import Graph
from c360_graph.graph.counts import count_by_label, count_by_pattern, count_by_type
from c360_graph.graph.execution import Execution
from c360_graph.mapping.graph_manifest import GraphManifest, RelationshipPattern

_TITLE = "The manifest"


@dataclass(frozen=True, kw_only=True)
class KnownState:
    """What a graph says of itself; `is_whole` is False where the last load did not end.

    A manifest whose content cannot be read is an empty one, and the graph is not whole.
    """

    manifest: GraphManifest
    is_whole: bool

    @property
    def is_counted(self) -> bool:
        """Whether it says how many nodes and relationships there were."""
        return self.manifest.nodes.keys() == self.manifest.labels.keys()


def read_state(execution: Execution) -> KnownState | None:
    """The graph's manifest, None where it has none.

    Raises:
        StatementError: the server refuses.
    """
    rows = execution.ask(_TITLE, text.read_manifest())
    if not rows:
        return None
    is_whole = all(row["state"] == text.WHOLE for row in rows)
    try:
        manifest = GraphManifest.model_validate_json(rows[0]["content"] or "")
    except ValidationError:
        return KnownState(manifest=GraphManifest(), is_whole=False)
    return KnownState(manifest=manifest, is_whole=is_whole)


def refuse_broken(graph: Graph) -> KnownState | None:
    """Make sure that a graph may be asked: the last load of it ended, or none of ours made it.

    Raises:
        GraphError: a load is under way or broke off, so that a part of the graph may be missing.
    """
    state = read_state(Execution(graph))
    if state is not None and not state.is_whole:
        raise GraphError(
            f"The last load of {graph.server} is under way or did not end, so a part of the graph may"
            " be missing and no question is answered. Materialize neo4j_graph again, or wait for"
            " the load that is under way."
        )
    return state


def refuse_changed(graph: Graph, before: KnownState | None) -> None:
    """Make sure that no load changed a graph since its state was read.

    Raises:
        GraphError: one did, so that answers may come from two states of the graph.
    """
    if refuse_broken(graph) != before:
        raise GraphError(
            f"A load changed {graph.server} while it was asked. The answers may not fit together; ask"
            " again."
        )


def counted(execution: Execution, manifest: GraphManifest) -> GraphManifest:
    """The manifest with what the count store has of its labels and types.

    Raises:
        StatementError: the server refuses.
    """

    # The count store serves both labels and types.
    ask = cache(partial(execution.ask, _TITLE))
    types = dict.fromkeys(kind for kind, _, _ in manifest.edges)
    return manifest.model_copy(
        update={
            "nodes": count_by_label(ask, [*manifest.labels]),
            "relationships": count_by_type(ask, [*types]),
        }
    )


def count_between(
    execution: Execution, patterns: Sequence[RelationshipPattern]
) -> dict[RelationshipPattern, int]:
    """Relationships of each type between two labels.

    Raises:
        StatementError: the server refuses.
    """
    return count_by_pattern(partial(execution.ask, _TITLE), patterns)


def is_as_left(execution: Execution, known: KnownState) -> bool:
    """Whether the last load ended and the graph has as many nodes and relationships as then."""
    if not known.is_whole or not known.is_counted:
        return False
    return counted(execution, known.manifest) == known.manifest


def mark_broken(execution: Execution, manifest: GraphManifest) -> None:
    """Say that a load is under way and may have written anything of this."""
    _write(execution, text.BROKEN, manifest)


def mark_whole(execution: Execution, manifest: GraphManifest) -> None:
    """Say that the graph is what the manifest says."""
    _write(execution, text.WHOLE, manifest)


def mark_begun(execution: Execution) -> None:
    """Say that a load is about to change the graph, before it has said what it will write.

    What the graph says to be ours stays in the manifest, so that a later load knows it.
    """
    known = read_state(execution)
    mark_broken(execution, known.manifest if known else GraphManifest())


def remove_begun(execution: Execution) -> None:
    """Take back `mark_begun` where what was loaded has no manifest."""
    execution.run_repeatable(_TITLE, text.delete_broken_manifest())


def _write(execution: Execution, state: str, manifest: GraphManifest) -> None:
    owned = manifest.model_copy(update={"owner": execution.owner or manifest.owner})
    execution.run_repeatable(_TITLE, text.write_manifest(), state=state, content=owned.to_json())
