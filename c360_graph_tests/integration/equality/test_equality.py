"""A relationship is where PostgreSQL's own `=` holds, for every pair of types, or its row is refused with a reason."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import psycopg
import pytest

from c360_graph.control_db import ControlDatabase
from c360_graph.mapping_state import find_mapping_state
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.equality.pairs import (
    JOINED,
    PAIRS,
    PREPARATION,
    Pair,
    shifted_sql,
    table_sql,
)
from c360_graph_tests.integration.reconcile.reconciled import reconcile
from c360_graph_tests.integration.schemas.world import World, built

FAR = tuple(pair for pair in JOINED if pair.name in {"citext", "citext_hashed", "char_varchar", "numeric_domain", "real_double", "jsonb", "timestamptz", "interval", "array"})  # fmt: skip
"""Pairs that are tried across databases too."""


def control_sql() -> str:
    """Both tables in one database, and the second one in another too."""
    pairs = [*((p, "R") for p in PAIRS), *((p, "Far") for p in FAR)]
    rules = [
        f"({source}, '{table}', '{p.name}', '{p.treatment}')"
        for p in PAIRS
        if p.treatment
        for source, table in ((1, "l"), (1, "r"), (2, "r"))
    ]
    rows = ", ".join(
        f"({number}, '{p.name}_{to}', 'L', '{to}', 'l.\"{p.name}\" = r.\"{p.name}\"')"
        for number, (p, to) in enumerate(pairs, start=1)
    )
    return f"""
INSERT INTO source_databases (source_id, source_name, db_name) VALUES (1, 'near', 'near'), (2, 'far', 'far');
INSERT INTO field_exclusion_rules (source_id, table_name, column_name, treatment) VALUES {", ".join(rules)};
INSERT INTO node_label_mappings (source_id, table_name, node_label) VALUES (1, 'l', 'L'), (1, 'r', 'R'), (2, 'r', 'Far');
INSERT INTO relationship_mappings (relationship_id, relationship_type, from_label, to_label, join_condition) VALUES {rows};
"""


@pytest.fixture(scope="module")
def world(servers: TestServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("equality")
    files = {"near": ("l", "r"), "far": ("r",)}
    for name, tables in files.items():
        text = PREPARATION + "".join(map(table_sql, tables))
        (folder / f"{name}.sql").write_text(text, encoding="utf-8")
    (folder / "control.sql").write_text(control_sql(), encoding="utf-8")
    with built(str(folder), servers, folder) as made:
        yield made


def by_sql(world: World) -> dict[str, int]:
    """What PostgreSQL finds for each pair; for the far table too, since both have the same rows."""
    with world.servers.postgres.connect(f"{world.prefix}near") as connection:
        connection.execute("SET search_path = public, ext")
        counts = {p.name: _count(connection, p) for p in JOINED}
    near = {f"{name}_R": count for name, count in counts.items()}
    return near | {f"{pair.name}_Far": counts[pair.name] for pair in FAR}


def _count(connection: psycopg.Connection, pair: Pair) -> int:
    statement = f"SELECT count(*) FROM l JOIN r ON {pair.condition}"
    ((count,),) = connection.execute(statement.encode())
    return int(count)


def relationships(world: World) -> dict[str, int]:
    return dict(world.counts()[1])


def checks_of(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    assert result.success
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def test_each_join_finds_what_postgresql_finds(world: World) -> None:
    wanted = by_sql(world)
    assert all(wanted.values())
    assert relationships(world) == wanted


def test_what_cannot_be_compared_alike_is_refused_with_the_reason(world: World) -> None:
    control = ControlDatabase(world.servers.credentials(world.control_db))
    said = map(str, find_mapping_state(control, world.data_dir).mapping().refusals)
    refused = {number: pair for number, pair in enumerate(PAIRS, start=1) if pair.refused}
    for line, (number, pair) in zip(said, refused.items(), strict=True):
        assert line.startswith(f"relationship_mappings row {number}: near/l.{pair.name} (")
        assert pair.refused in line


def test_a_load_of_what_changed_finds_what_postgresql_finds_then(world: World) -> None:
    before = by_sql(world)
    for source in ("near", "far"):
        with world.servers.postgres.connect(world.prefix + source) as connection:
            connection.execute("SET search_path = public, ext")
            connection.execute(shifted_sql("r").encode())
    with world.servers.postgres.connect(f"{world.prefix}near") as connection:
        connection.execute("SET search_path = public, ext")
        connection.execute("DELETE FROM l WHERE id = 1")
    checks = checks_of(reconcile(max_removed_share=1.0))
    after = by_sql(world)
    assert before != after
    assert relationships(world) == {kind: count for kind, count in after.items() if count}
    counts = checks["relationship_counts_match"]
    assert (counts.passed, counts.description) == (True, "All as it should be.")
    by_text = sum(bool(pair.on) for pair in PAIRS)
    assert counts.metadata["joins_counted_by_sources"].value == len(JOINED) - by_text
    assert counts.metadata["joins_changed_since"].value == 0
