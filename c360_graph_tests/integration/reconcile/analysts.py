"""Runs and plans over the graph that analysts write to, and what it holds."""

from __future__ import annotations

import json
from typing import Any

from typer.testing import CliRunner

from c360_graph.cli import app
from c360_graph.cypher.schema import LabelProperties, constraint_name
from c360_graph_tests.conftest import empty
from c360_graph_tests.integration.schemas.world import FOLDER, World

KEY = LabelProperties(label="Customer", properties=("customer_id",))


def load(*, tags: dict[str, str] | None = None, **config: Any) -> bool:
    """A run up to the graph; whether it succeeded."""
    from c360_graph.definitions import defs

    made = defs()
    done = made.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=[
            key
            for key in made.resolve_asset_graph().get_all_asset_keys()
            if key.path[0] == "crm" or key.path[-1] in ("cypher_script", "neo4j_graph")
        ],
        run_config={"ops": {"neo4j_graph": {"config": config}}},
        raise_on_error=False,
        tags=tags,
    )
    return done.success


def reset(world: World) -> None:
    """Make the source and the control rows what they were at first, and empty the graph.

    The constraint that every load makes stays: without it the server plans each statement anew.
    """
    tables = world.sql(
        "crm",
        "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables"
        " WHERE schemaname = 'public'",
    )
    world.execute_in("crm", f"DROP TABLE {tables[0][0]}")
    world.execute_in("crm", (FOLDER / "analysts" / "crm.sql").read_text(encoding="utf-8"))
    world.control("DELETE FROM node_label_mappings WHERE node_label <> 'Customer'")
    world.control("DELETE FROM relationship_mappings")
    empty(world.graph, kept=[constraint_name(KEY)])


def reconcile(**config: Any) -> bool:
    return load(clear_database=False, **config)


def plan(way: str = "--reconcile") -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(app, ["plan", way, "--json"])
    return done.exit_code, json.loads(done.stdout)


def names(world: World, label: str) -> list[tuple[Any, ...]]:
    return world.cypher(f"MATCH (n:{label}) RETURN n.name ORDER BY n.name")
