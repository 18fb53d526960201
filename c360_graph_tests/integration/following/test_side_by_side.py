"""Following beside loads, other followers, changed control rows and changed tables."""

from __future__ import annotations

from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.following.followed import (
    OF_LAST_CHANGES,
    assert_equals_a_clear_load,
    await_all,
    following,
)
from c360_graph_tests.integration.runs import load_graph


def brought(said: list[str]) -> list[str]:
    return [line for line in said if "brought to the state" in line]


def test_following_waits_for_a_load_and_makes_up_for_what_the_load_did_not_see(
    followed: Project, target: Graph
) -> None:
    followed.map_only(*OF_LAST_CHANGES)
    # The load's extracts are older than what was followed since.
    assert load_graph().success
    with following() as running, followed.connect("profiles_db") as source:
        running.await_following()
        assert load_graph(
            run_config={"ops": {"neo4j_graph": {"config": {"clear_database": False}}}}
        )
        source.execute("INSERT INTO plans VALUES (61, 'sixty-one', 1)")
        running.await_following(2)
        await_all(followed, target, "after a load")
        assert len(brought(running.said)) == 2
    assert_equals_a_clear_load(target)


def test_a_second_follower_stands_by_and_takes_over(followed: Project, target: Graph) -> None:
    followed.map_only(*OF_LAST_CHANGES)
    with following() as first:
        first.await_following()
        with following() as second:
            second.wait(lambda: any("stands by" in line for line in second.said))
            assert second.begun == 0
            first.stop.set()
            second.await_following()
            await_all(followed, target, "by the second")
            assert brought(second.said) == []


def test_a_changed_control_row_or_table_is_mapped_anew_and_an_excluded_column_is_purged(
    followed: Project, target: Graph
) -> None:
    followed.map_only("PaymentMethod", "Plan")
    with following() as running, followed.connect("profiles_db") as source:
        running.await_following()
        followed.execute(
            "INSERT INTO field_exclusion_rules (source_id, table_name, column_name, is_excluded)"
            " SELECT source_id, 'payment_methods', 'card_last_four', true FROM source_databases"
            " WHERE source_name = 'profiles_db'"
        )
        running.await_following(2)
        holders = "MATCH (n:PaymentMethod) WHERE n.card_last_four IS NOT NULL RETURN n"
        assert target.rows(holders) == []
        source.execute("ALTER TABLE plans ADD COLUMN note text DEFAULT 'cheap'")
        source.execute("INSERT INTO plans VALUES (71, 'with a note', 1)")
        running.await_following(3)
        running.wait(
            lambda: target.rows("MATCH (n:Plan {plan_id: 71}) WHERE n.note = 'cheap' RETURN 1 AS x")
        )


def test_a_slot_that_was_lost_is_noticed_and_the_tables_are_read_as_a_whole(
    followed: Project, target: Graph
) -> None:
    followed.map_only("Plan")
    with following() as running:
        running.await_following()
    with followed.connect("profiles_db") as source:
        source.execute(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
            " WHERE database = current_database()"
        )
        source.execute("INSERT INTO plans VALUES (81, 'in no log', 1)")
    with following() as running:
        running.await_following()
        assert "source profiles_db: its slot is gone" in brought(running.said)[0]
        assert target.rows("MATCH (n:Plan {plan_id: 81}) RETURN n.plan_name AS n")
    with followed.connect("profiles_db") as source:
        # Made anew by somebody else: what was written before is not in it.
        (name,) = source.execute(
            "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"
        ).fetchall()[0]
        source.execute("SELECT pg_drop_replication_slot(%s)", (name,))
        source.execute("INSERT INTO plans VALUES (82, 'before the slot', 1)")
        source.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (name,))
    with following() as running:
        running.await_following()
        assert "made anew or moved" in brought(running.said)[0]
        assert target.rows("MATCH (n:Plan {plan_id: 82}) RETURN n.plan_name AS n")


def test_entities_of_identity_resolution_are_made_at_the_start_and_named_as_not_followed(
    followed: Project, target: Graph
) -> None:
    followed.map_only("Account", "Ticket", *OF_LAST_CHANGES)
    followed.execute(
        "INSERT INTO identity_rules (entity_label, table_name, identifier_kind, column_name, normaliser)"
        " VALUES ('Customer', 'accounts', 'email', 'email', 'email'),"
        " ('Customer', 'tickets', 'email', 'customer_email', 'email')"
    )
    links = "MATCH (:Customer)-[:IS]->(a:Account) RETURN count(a) AS n"
    with following() as running, followed.connect("profiles_db") as source:
        running.await_following()
        (known,) = target.rows(links)
        assert known["n"] == target.rows("MATCH (a:Account) RETURN count(a) AS n")[0]["n"]
        assert any("Not followed" in said and "Customer" in said for said in running.said)
        source.execute("INSERT INTO plans VALUES (61, 'sixty-one', 1)")
        await_all(followed, target, "beside entities")
        assert target.rows(links) == [known]
