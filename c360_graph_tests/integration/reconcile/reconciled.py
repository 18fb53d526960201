"""Loads that reconcile, and what they left."""

from __future__ import annotations

from typing import Any

import dagster as dg

from c360_graph.graph.connection import Graph
from c360_graph_tests.integration.runs import load_graph

NOTHING = {
    "nodes_created": 0,
    "nodes_updated": 0,
    "nodes_deleted": 0,
    "relationships_created": 0,
    "relationships_deleted": 0,
    "properties_purged": 0,
}


def reconcile(**config: Any) -> dg.ExecuteInProcessResult:
    given = {"clear_database": False, **config}
    return load_graph(run_config={"ops": {"neo4j_graph": {"config": given}}})


def changes(result: dg.ExecuteInProcessResult) -> dict[str, int]:
    assert result.success
    (event,) = [
        e
        for e in result.asset_materializations_for_node("neo4j_graph")
        if isinstance(e, dg.AssetMaterialization)
    ]
    return {name: int(str(event.metadata[name].value)) for name in NOTHING}


def contents(graph: Graph) -> tuple[list[Any], list[Any]]:
    """Everything of ours, without internal ids."""
    nodes = graph.rows(
        "MATCH (n) WHERE NOT labels(n)[0] STARTS WITH '_C360' RETURN labels(n) AS l, properties(n) AS p"
    )
    edges = graph.rows(
        "MATCH (a)-[r]->(b) RETURN properties(a) AS a, type(r) AS t, properties(r) AS p, properties(b) AS b"
    )
    return sorted(map(_text, nodes)), sorted(map(_text, edges))


def _text(row: dict[str, Any]) -> str:
    return repr(
        sorted((k, sorted(v.items()) if isinstance(v, dict) else v) for k, v in row.items())
    )
