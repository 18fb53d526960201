"""Empties a graph in bounded batches: relationships, nodes, and the constraints and indexes of ours.

The manifest says that the graph is broken before anything is removed, and stays.
"""

from __future__ import annotations

from c360_graph.cypher import cleanup, holding, schema
from c360_graph.neo4j_loader.execution import Execution
from c360_graph.neo4j_loader.progress import ProgressMeter
from c360_graph.neo4j_loader.schema_sync import own_names


def empty_graph(execution: Execution, meter: ProgressMeter) -> None:
    """Remove everything but the manifest; other clients' constraints and indexes stay.

    Raises:
        StatementError: a removal kept failing.
    """
    _remove(
        execution,
        meter,
        unit="relationships",
        count=cleanup.count_all_relationships(),
        removal=cleanup.delete_all_relationships(),
    )
    _remove(
        execution,
        meter,
        unit="nodes",
        count=cleanup.count_nodes_but_own(),
        removal=cleanup.delete_all_nodes(),
    )
    for statement in _drops_of_ours(execution):
        execution.run_repeatable("Removing constraints and indexes", statement)


def _remove(
    execution: Execution, meter: ProgressMeter, *, unit: str, count: bytes, removal: bytes
) -> None:
    title = f"Removing {unit}"
    total = int(execution.ask(title, count)[0]["count"])
    if not total:
        return

    def removed() -> int:
        return max(0, total - int(execution.graph.rows(count)[0]["count"]))

    meter.begin(title.lower(), unit=unit, total=total, poll=removed)
    execution.run_repeatable(title, removal)


def _drops_of_ours(execution: Execution) -> list[bytes]:
    """All of ours: making them anew on an empty graph takes no time, and none can be out of date."""
    return [
        *map(schema.drop_constraint, own_names(execution, holding.show_constraints())),
        *map(schema.drop_index, own_names(execution, holding.show_indexes())),
    ]
