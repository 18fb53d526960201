"""Keeps what a graph has of a table that a load leaves out since it could not be read."""

from __future__ import annotations

from c360_graph.cypher.script_writer import ScriptHeader
from c360_graph.errors import GraphError
from c360_graph.mapping.graph_manifest import GraphManifest


def refuse_losing_tables(header: ScriptHeader, held: GraphManifest) -> None:
    """Make sure that a graph has nothing of a table that is left out, before anything is changed.

    Raises:
        GraphError: it has; names the table.
    """
    for table, label in header.left_out.items():
        only_its_own = label not in header.labels and bool(held.labels.get(label))
        if table in held.digests or only_its_own:
            what = f"{label} nodes" if label else "relationships"
            raise GraphError(
                f"{table} could not be read, no extract of it is kept, and the graph has its {what} from a"
                " former load, which this load would remove. Nothing was changed. Make the table"
                " readable and materialize it; or deactivate its row of node_label_mappings (or of"
                " relationship_mappings, for a junction) if they are to go."
            )


def said_of_left_out(header: ScriptHeader) -> str | None:
    """What a load says of tables that are left out; None where none is."""
    if not header.left_out:
        return None
    return f"Left out, since they could not be read: {', '.join(header.left_out)}."
