"""What others made on nodes and under names of ours is lost only where the plan said so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from c360_graph.errors import StatementError
from c360_graph.graph.node_sync import NodeSync
from c360_graph_tests.integration.reconcile.analysts import load, names, plan, reconcile
from c360_graph_tests.integration.schemas.world import World

BOSS = (
    "INSERT INTO relationship_mappings (source_db, relationship_type, from_label, to_label,"
    " join_condition, from_alias, to_alias)"
    " VALUES ('crm', 'REPORTS_TO', 'Customer', 'Customer', 'c.boss_id = b.customer_id', 'c', 'b')"
)
VIPS = (
    "INSERT INTO node_label_mappings (source_id, table_name, node_label) VALUES (1, 'vips', 'Vip')"
)


def destroyed(way: str = "--reconcile") -> list[str]:
    """What a plan says is lost; nothing where its exit code says so."""
    code, told = plan(way)
    assert code == (2 if told["destroyed"] else 0), told
    return list(told["destroyed"])


@pytest.mark.parametrize("way", ["--clear", "--reconcile"])
def test_a_property_of_others_that_a_new_column_overwrites_is_told(world: World, way: str) -> None:
    world.cypher("MATCH (n:Customer) WHERE n.customer_id < 3 SET n.risk = 'high'")
    assert destroyed() == []
    world.execute_in("crm", "ALTER TABLE customers ADD COLUMN risk text")
    world.execute_in("crm", "UPDATE customers SET risk = 'low' WHERE customer_id = 1")
    assert destroyed(way) == [
        "Customer.risk of 2 nodes (others wrote it; a column of this name overwrites it)"
    ]
    assert load() if way == "--clear" else reconcile()
    risks = world.cypher("MATCH (n:Customer) RETURN n.risk ORDER BY n.customer_id")
    assert risks == [("low",), (None,), (None,)]
    assert destroyed(way) == []


def test_a_kind_that_is_made_anew_loses_what_others_wrote_on_it_and_the_plan_counts_that(
    unloaded: World,
) -> None:
    unloaded.control(BOSS)
    assert reconcile()
    unloaded.cypher(
        "MATCH (a:Customer {customer_id: 2}), (b:Customer {customer_id: 3}) SET a.risk = 'high'"
        " CREATE (a)-[:FLAGGED]->(b), (:Analyst {name: 'Dan'})-[:WATCHES]->(a)"
    )
    assert destroyed() == []
    unloaded.execute_in(
        "crm", "ALTER TABLE customers DROP CONSTRAINT customers_pkey, ADD PRIMARY KEY (name)"
    )
    assert destroyed() == [
        "Customer.risk of 1 nodes (others wrote it; the nodes are rebuilt)",
        "1 relationships FLAGGED at nodes of Customer (the nodes are rebuilt)",
        "1 relationships WATCHES at nodes of Customer (the nodes are rebuilt)",
    ]
    assert reconcile()
    assert unloaded.counts() == ({"Customer": 3, "Analyst": 1}, {"REPORTS_TO": 2})
    assert destroyed() == []


def test_nodes_of_a_table_without_key_are_made_anew_and_the_plan_says_so(unloaded: World) -> None:
    unloaded.execute_in("crm", "CREATE TABLE vips (vip_id int, name text)")
    unloaded.execute_in("crm", "INSERT INTO vips VALUES (1, 'Gus')")
    unloaded.control(VIPS)
    assert reconcile()
    assert destroyed() == []
    unloaded.cypher(
        "MATCH (v:Vip), (c:Customer {customer_id: 1}) SET v.risk = 1 CREATE (c)-[:KNOWS]->(v)"
    )
    unloaded.execute_in("crm", "INSERT INTO vips VALUES (2, 'Hal')")
    assert destroyed() == [
        "Vip.risk of 1 nodes (others wrote it; the nodes are rebuilt)",
        "1 relationships KNOWS at nodes of Vip (the nodes are rebuilt)",
    ]
    assert reconcile()
    assert unloaded.counts() == ({"Customer": 3, "Vip": 2}, {})


def test_relationships_of_others_go_with_the_nodes_of_a_kind_that_is_mapped_no_more(
    unloaded: World,
) -> None:
    unloaded.execute_in("crm", "CREATE TABLE vips (vip_id int PRIMARY KEY)")
    unloaded.execute_in("crm", "INSERT INTO vips VALUES (1)")
    unloaded.control(VIPS)
    assert reconcile()
    unloaded.cypher("MATCH (v:Vip), (c:Customer {customer_id: 1}) CREATE (c)-[:KNOWS]->(v)")
    unloaded.control("UPDATE node_label_mappings SET is_active = false WHERE node_label = 'Vip'")
    assert destroyed() == [
        "1 nodes of Vip (no active, valid control row maps it)",
        "1 relationships KNOWS at nodes of Vip (the nodes are removed)",
    ]


@pytest.mark.parametrize("way", ["--clear", "--reconcile"])
def test_nodes_and_relationships_that_others_added_under_names_of_ours_are_counted(
    unloaded: World, way: str
) -> None:
    unloaded.control(BOSS)
    assert load()
    unloaded.cypher(
        "MATCH (a:Customer {customer_id: 2}), (b:Customer {customer_id: 3})"
        " CREATE (:Customer {name: 'Zoe'}), (a)-[:REPORTS_TO]->(b),"
        " (:Team {name: 'A'})-[:REPORTS_TO]->(:Team {name: 'B'})"
    )
    surplus = "added since the last load; those that no row produces are removed"
    assert destroyed(way) == [
        f"1 nodes of Customer ({surplus})",
        *(["2 nodes of Team (this project did not load them)"] if way == "--clear" else []),
        f"1 relationships REPORTS_TO from Customer to Customer ({surplus})",
        *(
            ["1 relationships REPORTS_TO (this project did not load them)"]
            if way == "--clear"
            else []
        ),
    ]
    assert load() if way == "--clear" else reconcile()
    teams, between = ({}, 2) if way == "--clear" else ({"Team": 2}, 3)
    assert unloaded.counts() == ({"Customer": 3, **teams}, {"REPORTS_TO": between})
    assert destroyed() == []


def test_a_take_over_that_broke_off_is_still_one_for_the_next_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.cypher(
        "CREATE (:Vip {vip_id: 1, name: 'Dan'}), (:Vip {name: 'Eve'}) WITH 1 AS x"
        " MATCH (a:Customer {customer_id: 2}), (b:Customer {customer_id: 3}) SET a.risk = 'high'"
        " CREATE (a)-[:REPORTS_TO]->(b), (:Customer {name: 'Zoe'})"
    )
    world.execute_in("crm", "ALTER TABLE customers ADD COLUMN risk text")
    world.execute_in("crm", "CREATE TABLE vips (vip_id int PRIMARY KEY, name text)")
    world.execute_in("crm", "INSERT INTO vips VALUES (1, 'Gus'), (2, 'Hal')")
    world.control(VIPS)
    world.control(BOSS)
    before = destroyed()
    assert len(before) == 4
    assert not reconcile()

    def broken(*_: object) -> None:
        raise StatementError("The server went away.")

    with monkeypatch.context() as patch:
        patch.setattr(NodeSync, "merge", broken)
        assert not reconcile(max_removed_share=1.0)
    assert world.cypher("MATCH (m:_C360Load) RETURN m.state") == [("broken",)]
    assert destroyed() == before
    # The share of nodes that no row has the key of is asked for again.
    assert not reconcile()
    assert names(world, "Vip") == [("Dan",), ("Eve",)]
    assert reconcile(max_removed_share=1.0)
    assert names(world, "Vip") == [("Gus",), ("Hal",)]
    assert destroyed() == []


def drop_constraints(world: World) -> None:
    for row in world.graph.rows("SHOW CONSTRAINTS YIELD name RETURN name"):
        world.cypher(f"DROP CONSTRAINT `{row['name']}`")


@pytest.fixture
def _no_schema_of_others(world: World) -> Iterator[None]:
    yield
    drop_constraints(world)
    for row in world.graph.rows("SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name"):
        world.cypher(f"DROP INDEX `{row['name']}`")


def obstacles(way: str = "--reconcile") -> list[str]:
    code, told = plan(way)
    assert code == (1 if told["obstacles"] else 2 if told["destroyed"] else 0), told
    return list(told["obstacles"])


COPIES = (
    " are on several nodes each, which keeps the uniqueness constraint from being made: others made"
    " copies. Nothing was changed. Remove the copies and load again, or load with clear_database: true."
)


@pytest.mark.usefixtures("_no_schema_of_others")
def test_copies_made_after_our_constraint_was_dropped_are_found_before_anything_is_changed(
    world: World,
) -> None:
    drop_constraints(world)
    world.cypher("UNWIND [1, 1, 2] AS id CREATE (:Customer {customer_id: id, name: 'copy'})")
    assert obstacles() == ["2 keys of Customer (customer_id)" + COPIES]
    assert not reconcile(max_removed_share=1.0)
    assert world.cypher("MATCH (m:_C360Load) RETURN m.state") == [("whole",)]
    assert len(names(world, "Customer")) == 6
    assert obstacles("--clear") == []
    assert load()
    assert len(names(world, "Customer")) == 3


@pytest.mark.usefixtures("_no_schema_of_others")
def test_copies_among_nodes_that_are_taken_over_are_found_before_anything_is_changed(
    world: World,
) -> None:
    world.execute_in("crm", "CREATE TABLE vips (vip_id int PRIMARY KEY, name text)")
    world.execute_in("crm", "INSERT INTO vips VALUES (1, 'Gus')")
    world.control(VIPS)
    world.cypher("UNWIND ['Dan', 'Eve'] AS name CREATE (:Vip {vip_id: 1, name: name})")
    assert obstacles() == ["1 keys of Vip (vip_id)" + COPIES]
    assert not reconcile(max_removed_share=1.0)
    assert names(world, "Vip") == [("Dan",), ("Eve",)]
    world.cypher("MATCH (v:Vip {name: 'Eve'}) DELETE v")
    assert reconcile(max_removed_share=1.0)
    assert names(world, "Vip") == [("Gus",)]


@pytest.mark.usefixtures("_no_schema_of_others")
@pytest.mark.parametrize("way", ["--clear", "--reconcile"])
def test_an_index_of_others_that_is_named_like_ours_stays_or_is_named(
    world: World, way: str
) -> None:
    world.cypher("CREATE INDEX c360_notes FOR (n:Note) ON (n.text)")
    assert plan(way)[1]["schema_changes"] == []
    assert load() if way == "--clear" else reconcile()
    assert ("c360_notes",) in world.cypher("SHOW INDEXES YIELD name RETURN name")

    (ours,) = (row["name"] for row in world.graph.rows("SHOW CONSTRAINTS YIELD name RETURN name"))
    drop_constraints(world)
    world.cypher(f"CREATE INDEX {ours} FOR (n:Note) ON (n.title)")
    said = (
        f"The index {ours} is on something else, and its name is that of our uniqueness constraint on"
        f" Customer (customer_id). Nothing was changed. Run `DROP INDEX {ours}`, make it under another"
        " name if it is needed, and load again."
    )
    assert [line.replace("`" + ours + "`", ours) for line in obstacles(way)] == [said]
    assert not (load() if way == "--clear" else reconcile())
    assert len(names(world, "Customer")) == 3


@pytest.mark.usefixtures("_no_schema_of_others")
@pytest.mark.parametrize("way", ["--clear", "--reconcile"])
@pytest.mark.parametrize(
    "made",
    [
        "CREATE INDEX by_hand FOR (n:Customer) ON (n.name)",
        "CREATE CONSTRAINT by_hand FOR (n:Customer) REQUIRE n.name IS UNIQUE",
    ],
)
def test_an_index_that_others_have_already_is_not_planned_for_ever(
    world: World, made: str, way: str
) -> None:
    world.cypher(made)
    world.execute_in("crm", "CREATE TABLE vips (vip_id int PRIMARY KEY, name text)")
    world.execute_in("crm", "INSERT INTO vips VALUES (1, 'Ann')")
    world.control(VIPS)
    world.control(
        "INSERT INTO relationship_mappings (source_db, relationship_type, from_label, to_label,"
        " join_condition, from_alias, to_alias)"
        " VALUES ('crm', 'NAMED_AS', 'Vip', 'Customer', 'v.name = c.name', 'v', 'c')"
    )
    assert load() if way == "--clear" else reconcile()
    assert world.counts()[1] == {"NAMED_AS": 1}
    assert plan(way)[1]["schema_changes"] == []


@pytest.mark.usefixtures("_no_schema_of_others")
@pytest.mark.parametrize("way", ["--clear", "--reconcile"])
def test_a_constraint_of_others_on_a_key_of_ours_is_enough(world: World, way: str) -> None:
    drop_constraints(world)
    world.cypher("CREATE CONSTRAINT by_hand FOR (n:Customer) REQUIRE n.customer_id IS UNIQUE")
    assert load() if way == "--clear" else reconcile()
    assert (obstacles(way), plan(way)[1]["schema_changes"]) == ([], [])


@pytest.mark.usefixtures("_no_schema_of_others")
@pytest.mark.parametrize("way", ["--clear", "--reconcile"])
def test_a_constraint_of_others_that_rows_may_break_is_told(world: World, way: str) -> None:
    world.cypher("CREATE CONSTRAINT by_hand FOR (n:Customer) REQUIRE n.name IS UNIQUE")
    world.cypher(
        "CREATE CONSTRAINT harmless FOR (n:Customer) REQUIRE (n.name, n.customer_id) IS UNIQUE"
    )
    code, told = plan(way)
    assert (code, told["cautions"]) == (
        0,
        [
            "The uniqueness constraint by_hand of others on Customer (name) breaks a load off when"
            " two rows have the same values. Make sure that no rows do, or run"
            " `DROP CONSTRAINT `by_hand``."
        ],
    )
