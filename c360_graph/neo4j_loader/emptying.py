"""Empties a graph in bounded batches: relationships, nodes, and the constraints and indexes of ours."""

from __future__ import annotations

from c360_graph.cypher import cleanup, schema
from c360_graph.cypher.statements import Statement
from c360_graph.neo4j_loader.execution import Execution
from c360_graph.neo4j_loader.progress import ProgressMeter


def empty_graph(execution: Execution, meter: ProgressMeter) -> None:
    """Remove everything from the database; other clients' constraints and indexes stay.

    Raises:
        StatementError: a removal kept failing.
    """
    graph = execution.graph
    relationships = graph.rows("MATCH ()-[r]->() RETURN count(r) AS n")[0]["n"]
    nodes = graph.rows("MATCH (n) RETURN count(n) AS n")[0]["n"]
    removals = []
    if relationships:
        removals.append(
            ("removing relationships", relationships, cleanup.delete_all_relationships())
        )
    if nodes:
        removals.append(("removing nodes", nodes, cleanup.delete_all_nodes()))
    for phase, total, statement in removals:
        _remove(execution, meter, phase, total, statement)
    for statement in _outdated_schema(execution):
        execution.run_repeatable(Statement(number=0, text=statement))


def _remove(
    execution: Execution, meter: ProgressMeter, phase: str, total: int, statement: bytes
) -> None:
    pattern = "()-[x]->()" if "relationships" in phase else "(x)"

    def removed() -> int:
        left = execution.graph.rows(f"MATCH {pattern} RETURN count(x) AS n")[0]["n"]
        return max(0, total - int(left))

    meter.begin(phase, unit=phase.split()[-1], total=total, poll=removed)
    execution.run_repeatable(Statement(number=0, text=statement))


def _outdated_schema(execution: Execution) -> list[bytes]:
    """All of ours: making them anew on an empty graph takes no time, and none can be out of date."""
    starts = {"prefix": schema.NAME_PREFIX}
    constraints = execution.graph.rows(
        "SHOW CONSTRAINTS YIELD name WHERE name STARTS WITH $prefix RETURN name", **starts
    )
    indexes = execution.graph.rows(
        "SHOW INDEXES YIELD name, owningConstraint WHERE name STARTS WITH $prefix"
        " AND owningConstraint IS NULL RETURN name",
        **starts,
    )
    return [schema.drop_constraint(r["name"]) for r in constraints] + [
        schema.drop_index(r["name"]) for r in indexes
    ]
