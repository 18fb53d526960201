"""Schemas with shared labels, composite and folded keys, forms of joins and several mappings of one type, followed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from c360_graph.control.connection import ControlDatabase
from c360_graph.following.mark import read_graph_mark
from c360_graph.following.patterns import Patterns
from c360_graph.graph.connection import Graph
from c360_graph.mapping.model import GraphMapping, TableMapping
from c360_graph.pipeline.read_mapping import find_mapping_state
from c360_graph.settings import Settings
from c360_graph_tests.conftest import TestServers, empty
from c360_graph_tests.integration.following.followed import Running, drop_slots, following
from c360_graph_tests.integration.runs import failure_messages, load_graph
from c360_graph_tests.integration.schemas.world import World, built

ROUNDS = 12
_COLUMNS = (
    "SELECT attname::text FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
    " AND NOT attisdropped AND attgenerated = ''"
)


def shuffle(
    connection: psycopg.Connection, mapped: TableMapping, kept: frozenset[str], seed: str
) -> None:
    """Delete some rows, put most of them back, and give others a value of another row.

    Columns of `kept` are not changed.
    """
    rng = random.Random(seed)
    table, key = mapped.table_name, mapped.key
    name = sql.Identifier(table)
    columns = [
        row[0]
        for row in connection.execute(_COLUMNS, (sql.Identifier(table).as_string(),)).fetchall()
    ]
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    connection.execute("SELECT setseed(%s)", (rng.random(),))
    connection.execute(
        sql.SQL("CREATE TEMP TABLE stash AS SELECT {} FROM {} ORDER BY random() LIMIT 4").format(
            listed, name
        )
    )
    same = sql.SQL(" AND ").join(sql.SQL("t.{0} = s.{0}").format(sql.Identifier(c)) for c in key)
    connection.execute(sql.SQL("DELETE FROM {} AS t USING stash AS s WHERE {}").format(name, same))
    put_back = sql.SQL(
        "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM stash LIMIT 3"
    ).format(name, listed, listed)
    connection.execute(put_back)
    connection.execute("DROP TABLE stash")
    column = sql.Identifier(rng.choice([column for column in columns if column not in kept]))
    change = sql.SQL(
        "UPDATE {0} SET {1} = (SELECT {1} FROM {0} ORDER BY random() LIMIT 1)"
        " WHERE ctid = (SELECT ctid FROM {0} ORDER BY random() LIMIT 1)"
    ).format(name, column)
    for _ in range(3):
        try:
            with connection.transaction():
                connection.execute(change)
        except psycopg.Error:
            # A key that is there already, a column that the server gives itself.
            continue


def shuffle_all(world: World, mapping: GraphMapping, left: frozenset[str], number: int) -> None:
    for table in mapping.tables:
        if table.qualified_name in left:
            continue
        # The key of another table of the label is unique among all of its nodes.
        others = [t.key for t in mapping.tables if t.node_label == table.node_label]
        kept = {column for other in others for column in other} - {*table.key}
        with world.servers.postgres.connect(table.source.db_name) as connection:
            # Without foreign keys any row may go and come back.
            connection.execute("SET session_replication_role = replica")
            path = sql.SQL("SET search_path = {}").format(sql.Identifier(table.source.db_schema))
            connection.execute(path)
            with connection.transaction():
                shuffle(connection, table, frozenset(kept), f"{table.qualified_name} {number}")


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What is compared: of what is not followed nobody expects anything."""

    labels: list[str]
    types: list[str]


def contents(graph: Graph, chosen: Chosen) -> tuple[list[str], list[str]]:
    """The nodes of these labels, and the relationships of these types between them."""
    labels, types = chosen.labels, chosen.types
    nodes = graph.rows(
        "MATCH (n) WHERE labels(n)[0] IN $labels RETURN labels(n) AS l, properties(n) AS p",
        labels=labels,
    )
    edges = graph.rows(
        "MATCH (a)-[r]->(b) WHERE type(r) IN $types"
        " AND labels(a)[0] IN $labels AND labels(b)[0] IN $labels"
        " RETURN properties(a) AS a, type(r) AS t, properties(r) AS p, properties(b) AS b",
        types=types,
        labels=labels,
    )
    return sorted(map(_text, nodes)), sorted(map(_text, edges))


def _text(row: dict[str, Any]) -> str:
    return repr(
        sorted((k, sorted(v.items()) if isinstance(v, dict) else v) for k, v in row.items())
    )


@pytest.mark.parametrize("name", ["hospital", "freight", "university"])
def test_rows_that_go_come_back_and_change_are_followed_in_every_schema(
    servers: TestServers, tmp_path: Path, name: str
) -> None:
    with built(name, servers, tmp_path) as world:
        try:
            _follow(world)
        finally:
            empty(world.graph)
            drop_slots(servers.postgres, world.prefix)


def await_quiet(world: World, running: Running) -> None:
    """Until every source's log was followed to where it is now."""
    slots = "SELECT slot_name, pg_current_wal_lsn()::text FROM pg_replication_slots WHERE starts_with(database, %s)"
    done = "SELECT bool_and(confirmed_flush_lsn >= %s::pg_lsn) FROM pg_replication_slots WHERE starts_with(database, %s)"
    with world.servers.postgres.connect("postgres") as admin:
        (_, now) = admin.execute(slots, (world.prefix,)).fetchall()[0]
        running.wait(lambda: admin.execute(done, (now, world.prefix)).fetchall() == [(True,)])


def _follow(world: World) -> None:
    control = ControlDatabase(world.servers.credentials(world.control_db))
    with following() as running:
        running.await_following()
        mapping = find_mapping_state(control, Settings(c360_data_dir=world.data_dir)).mapping()
        mark = read_graph_mark(world.graph)
        assert mark is not None
        assert mark.follow is not None
        left = frozenset(mark.follow.unfollowed)
        assert len(left) <= len(mapping.tables) / 2, left
        patterns = Patterns(mapping, {table.qualified_name for table in mapping.tables} - left)
        stale = {table.node_label for table in mapping.tables if table.qualified_name in left}
        labels = sorted({t.node_label for t in mapping.tables if t.node_label} - stale)
        types = {pattern.edges[0] for pattern in patterns.followed}
        types -= {pattern.edges[0] for pattern in patterns.left}
        chosen = Chosen(labels=labels, types=sorted(types))
        for number in range(ROUNDS):
            shuffle_all(world, mapping, left, number)
        await_quiet(world, running)
    followed = contents(world.graph, chosen)
    # Random rows fail checks, and the graph is loaded all the same.
    result = load_graph()
    assert result.asset_materializations_for_node("neo4j_graph"), failure_messages(result)
    loaded = contents(world.graph, chosen)
    assert followed[0] == loaded[0]
    assert followed[1] == loaded[1]
