"""The whole pipeline on the sample databases."""

from __future__ import annotations

from typing import Any

import dagster as dg

from c360_graph.neo4j_loader.graph import Graph
from c360_graph.neo4j_loader.load import graph_counts
from c360_graph_tests.conftest import Project


def materialize_all(**options: Any) -> dg.ExecuteInProcessResult:
    from c360_graph.definitions import defs

    job = defs().resolve_implicit_global_asset_job_def()
    return job.execute_in_process(**options)


def test_every_table_becomes_nodes_and_every_join_relationships(
    project: Project, graph: Graph
) -> None:
    result = materialize_all()
    assert result.success
    nodes, relationships = graph_counts(graph)
    assert nodes == {
        "Account": 40,
        "Media": 30,
        "PaymentMethod": 42,
        "Plan": 5,
        "PlayEvent": 400,
        "Subscription": 43,
        "Tag": 9,
        "Ticket": 25,
        "TicketTagLink": 34,
    }
    assert relationships == {
        "HAS_PAYMENT_METHOD": 42,
        "HAS_SUBSCRIPTION": 43,
        "PLAYED": 387,
        "SUBMITTED": 21,
        "SUBSCRIBED_TO": 42,
        "TAGGED_WITH": 34,
        "WATCHED": 373,
    }
