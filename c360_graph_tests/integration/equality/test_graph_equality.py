"""Relationships are where PostgreSQL's own `=` holds, within a database and across two, at each way to load."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import psycopg
import pytest

from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.equality.pairs import (
    LOADED,
    PREPARATION,
    Pair,
    shifted_sql,
    table_sql,
)
from c360_graph_tests.integration.reconcile.reconciled import reconcile
from c360_graph_tests.integration.schemas.world import World, built

ACROSS = tuple(pair for pair in LOADED if pair.name in {"citext", "citext_hashed", "numeric"})


def control_sql() -> str:
    """Both tables in one database, and the second one in another too."""
    rules = [
        f"({source}, '{table}', '{p.name}', '{p.treatment}')"
        for p in LOADED
        if p.treatment
        for source, table in ((1, "l"), (1, "r"), (2, "r"))
    ]
    rows = [
        f"('{p.name}_{to}', 'L', '{to}', 'l.\"{p.name}\" = r.\"{p.name}\"')"
        for pairs, to in ((LOADED, "R"), (ACROSS, "Far"))
        for p in pairs
    ]
    return f"""
INSERT INTO source_databases (source_id, source_name, db_name) VALUES (1, 'near', 'near'), (2, 'far', 'far');
INSERT INTO field_exclusion_rules (source_id, table_name, column_name, treatment) VALUES {", ".join(rules)};
INSERT INTO node_label_mappings (source_id, table_name, node_label) VALUES (1, 'l', 'L'), (1, 'r', 'R'), (2, 'r', 'Far');
INSERT INTO relationship_mappings (relationship_type, from_label, to_label, join_condition) VALUES {", ".join(rows)};
"""


@pytest.fixture(scope="module")
def world(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("equality")
    for name, tables in {"near": ("l", "r"), "far": ("r",)}.items():
        text = PREPARATION + "".join(table_sql(table, LOADED) for table in tables)
        (folder / f"{name}.sql").write_text(text, encoding="utf-8")
    (folder / "control.sql").write_text(control_sql(), encoding="utf-8")
    with built(str(folder), servers, folder) as made:
        yield made


def connect(world: World, source: str) -> psycopg.Connection:
    connection = world.servers.postgres.connect(world.prefix + source)
    connection.execute("SET search_path = public, ext")
    return connection


def by_sql(world: World) -> dict[str, int]:
    """What PostgreSQL finds for each pair; across databases too, since both have the same rows."""
    with connect(world, "near") as connection:
        counts = {p.name: _count(connection, p) for p in LOADED}
    return {f"{name}_R": count for name, count in counts.items()} | {
        f"{p.name}_Far": counts[p.name] for p in ACROSS
    }


def _count(connection: psycopg.Connection, pair: Pair) -> int:
    statement = f"SELECT count(*) FROM l JOIN r ON {pair.condition}"
    ((count,),) = connection.execute(statement.encode())
    return int(count)


def checks_of(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    assert result.success
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def test_each_join_finds_what_postgresql_finds(world: World) -> None:
    wanted = by_sql(world)
    assert all(wanted.values())
    assert world.counts()[1] == wanted


def test_a_load_of_what_changed_finds_what_postgresql_finds_then(world: World) -> None:
    before = by_sql(world)
    for source in ("near", "far"):
        with connect(world, source) as connection:
            connection.execute(shifted_sql("r", LOADED).encode())
    with connect(world, "near") as connection:
        connection.execute("DELETE FROM l WHERE id = 1")
    checks = checks_of(reconcile(max_removed_share=1.0))
    after = by_sql(world)
    assert before != after
    assert world.counts()[1] == {kind: count for kind, count in after.items() if count}
    counts = checks["relationship_counts_match"]
    assert (counts.passed, counts.description) == (True, "No problem was found.")
    by_text = sum(bool(pair.on) for pair in LOADED)
    assert counts.metadata["joins_counted_by_sources"].value == len(LOADED) - by_text
    assert counts.metadata["joins_changed_since"].value == 0
