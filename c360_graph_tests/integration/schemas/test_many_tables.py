"""300 generated tables: mapped by the command, checked and planned as one, and loaded in part.

Each label, relationship and constraint costs the server a plan of its own, so that loading all of them
is left to the benchmark; what is loaded here are the first tables with all that joins them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from uuid import uuid4

import dagster as dg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from benchmarks.many_tables import ManyTables
from c360_graph.cli import app
from c360_graph.definitions import defs
from c360_graph.graph.connection import Graph
from c360_graph.graph.load import graph_counts
from c360_graph.mapping.model import GraphMapping
from c360_graph.pipeline.read_mapping import read_mapping_state
from c360_graph.sandbox.sample import fill_database
from c360_graph.settings import Settings
from c360_graph_tests.conftest import SQL_DIR, Project, TestServers, drop_databases

MANY = ManyTables(tables=300, rows=3)
LOADED = 20


@pytest.fixture(scope="module")
def mapped(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The tables in a database of their own, mapped by `c360 map`."""
    prefix = f"t{uuid4().hex[:8]}_"
    folder = tmp_path_factory.mktemp("many")
    file = folder / "many.sql"
    file.write_text(MANY.sql() + "ANALYZE;")
    control_db = f"{prefix}control"
    fill_database(servers.postgres, name=f"{prefix}many", files=(file,))
    fill_database(servers.postgres, name=control_db, files=(SQL_DIR / "etl_control_db_schema.sql",))
    environment = servers.environment(control_db) | {"C360_DATA_DIR": str(folder / "data")}
    project = Project(
        servers=servers, control_db=control_db, prefix=prefix, data_dir=folder / "data"
    )
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name in [v for v in os.environ if v.startswith(("C360_", "DAGSTER_"))]:
                patch.delenv(name)
            for name, value in environment.items():
                patch.setenv(name, value)
            project.execute(
                f"INSERT INTO source_databases (source_name, db_name) VALUES ('many', '{prefix}many')"
            )
            said = CliRunner().invoke(app, ["map", "many", "--apply", "--yes"])
            assert said.exit_code == 0, said.stderr
            yield project
    finally:
        drop_databases(servers.postgres, prefix)


def test_every_table_and_every_foreign_key_of_many_is_mapped_and_valid(mapped: Project) -> None:
    found = mapping(mapped)
    assert not found.refusals
    assert {table.table_name for table in found.tables} == {*MANY.names}
    # A junction's two foreign keys are one relationship.
    assert len(found.relationships) == MANY.foreign_keys - MANY.junctions
    assert sum(bool(r.junction) for r in found.relationships) == MANY.junctions
    checked = CliRunner().invoke(app, ["check"])
    assert checked.exit_code == 0, checked.stdout


def test_many_tables_are_planned_and_become_an_asset_each(mapped: Project, graph: Graph) -> None:
    planned = CliRunner().invoke(app, ["plan", "--json"])
    assert planned.exit_code == 0, planned.stderr
    plan = json.loads(planned.stdout)
    assert len(plan["tables"]) == MANY.tables
    assert {label["change"] for label in plan["labels"]} == {"new"}
    assert all(r["sample"]["matched"] == r["sample"]["sampled"] for r in plan["relationships"])
    assets = defs().resolve_asset_graph().get_all_asset_keys()
    assert sum(key.path[0] == "many" for key in assets) == MANY.tables


def test_the_first_of_many_tables_are_loaded_with_all_that_joins_them(
    mapped: Project, graph: Graph
) -> None:
    kept = ", ".join(f"'{name}'" for name in MANY.names[:LOADED])
    mapped.execute(
        f"UPDATE node_label_mappings SET is_active = false WHERE table_name NOT IN ({kept})"
    )
    found = mapping(mapped)
    job = defs().resolve_implicit_global_asset_job_def()
    tables = [dg.AssetKey(list(table.asset_key)) for table in found.tables]
    selected = [*tables, dg.AssetKey("cypher_script"), dg.AssetKey("neo4j_graph")]
    assert job.execute_in_process(raise_on_error=False, asset_selection=selected).success
    nodes, relationships = graph_counts(graph)
    assert nodes == {t.node_label: MANY.rows for t in found.tables if t.node_label}
    assert len(nodes) == LOADED - sum(name.startswith("links") for name in MANY.names[:LOADED])
    assert sum(relationships.values()) == references(mapped, found) > LOADED


def mapping(project: Project) -> GraphMapping:
    return read_mapping_state(project.control, Settings(c360_data_dir=project.data_dir)).mapping()


def references(project: Project, found: GraphMapping) -> int:
    """Rows that refer to another, as SQL counts them; a junction's row is one reference."""
    with project.connect("many") as connection:
        total = 0
        for relationship in found.relationships:
            end = relationship.driving
            (table,) = (t.table_name for t in found.tables if relationship.is_driven_by(t))
            columns = [column for column, _ in end.pairs] if end else []
            present = sql.SQL(" AND ").join(
                [
                    sql.SQL("true"),
                    *(sql.SQL("{} IS NOT NULL").format(sql.Identifier(c)) for c in columns),
                ]
            )
            query = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(
                sql.Identifier(table), present
            )
            row = connection.execute(query).fetchone()
            total += row[0] if row else 0
    return total
