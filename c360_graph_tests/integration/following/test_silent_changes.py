"""What PostgreSQL's stream does not tell: partitions that come and go, tables made anew, rows that ALTER TABLE wrote."""

from __future__ import annotations

import pytest

from c360_graph.following import source_feed
from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.following.followed import following

EVENTS = """
CREATE TABLE visits (visit_id integer, day date, note text, PRIMARY KEY (visit_id, day)) PARTITION BY RANGE (day);
CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM ('2025-01-01') TO ('2025-02-01');
CREATE TABLE visits_2 PARTITION OF visits FOR VALUES FROM ('2025-02-01') TO ('2025-03-01');
CREATE TABLE visits_4 PARTITION OF visits FOR VALUES FROM ('2025-04-01') TO ('2025-05-01');
INSERT INTO visits SELECT n, date '2025-01-01' + n, 'Note ' || n FROM generate_series(0, 58) AS n;
CREATE TABLE old_visits (visit_id integer, note text, PRIMARY KEY (visit_id));
CREATE TABLE older_visits (PRIMARY KEY (visit_id)) INHERITS (old_visits);
"""
MAPPED = (
    "INSERT INTO node_label_mappings (source_id, table_name, node_label)"
    " SELECT source_id, t, l FROM source_databases, (VALUES ('visits', 'Visit'), ('old_visits', 'OldVisit')) AS v (t, l)"
    " WHERE source_name = 'profiles_db'"
)
CHANGES = {
    "a partition is emptied": "TRUNCATE visits_1",
    "a partition is dropped": "DROP TABLE visits_2",
    "a partition with rows is attached": (
        "BEGIN; CREATE TABLE visits_3 (LIKE visits INCLUDING ALL); INSERT INTO visits_3 VALUES (300, '2025-03-03', 'x');"
        " ALTER TABLE visits ATTACH PARTITION visits_3 FOR VALUES FROM ('2025-03-01') TO ('2025-04-01'); COMMIT"
    ),
    "rows are rewritten": "ALTER TABLE plans ALTER COLUMN plan_name TYPE text USING plan_name || '!'",
    "a table is made anew": (
        "BEGIN; ALTER TABLE plans RENAME TO former; CREATE TABLE plans (LIKE former INCLUDING ALL);"
        " INSERT INTO plans SELECT * FROM former WHERE plan_id <> 1; COMMIT"
    ),
}


def names(graph: Graph) -> list[str]:
    rows = graph.rows(
        "MATCH (n:Visit) RETURN 'visit ' + n.visit_id AS name"
        " UNION ALL MATCH (n:Plan) RETURN 'plan ' + n.plan_id + n.plan_name AS name"
    )
    return sorted(row["name"] for row in rows)


def test_changes_that_the_stream_does_not_tell_are_noticed_and_made_up_for(
    followed: Project, target: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_feed, "SCHEMA_SECONDS", 0.5)
    followed.map_only("Plan")
    followed.execute(MAPPED)
    with followed.connect("profiles_db") as source:
        source.execute(EVENTS)

        def wanted() -> list[str]:
            rows = source.execute(
                "SELECT 'visit ' || visit_id FROM visits"
                " UNION ALL SELECT 'plan ' || plan_id || plan_name FROM plans"
            ).fetchall()
            return sorted(row[0] for row in rows)

        with following(max_removed_share=1.0) as running:
            running.await_following()
            assert names(target) == wanted()
            assert any("old_visits: other tables inherit from it" in line for line in running.said)
            # Made long before it is filled, as such partitions are: no reason to read everything.
            source.execute(
                "CREATE TABLE visits_5 PARTITION OF visits FOR VALUES FROM ('2025-05-01') TO ('2025-06-01')"
            )
            for number, (what, statement) in enumerate(CHANGES.items(), start=2):
                if number % 2:
                    source.execute(
                        "INSERT INTO visits VALUES (%s, '2025-04-04', 'x')", (1_000 + number,)
                    )
                source.execute(statement.encode())
                running.await_following(number)
                assert names(target) == wanted(), what
            source.execute("INSERT INTO visits VALUES (9, '2025-05-05', 'x')")
            running.wait(lambda: names(target) == wanted())
        source.execute("TRUNCATE visits_4, visits_5")
        with following(max_removed_share=1.0) as running:
            running.await_following()
            assert names(target) == wanted()
            assert any("while nobody followed" in line for line in running.said)
        with following(max_removed_share=1.0) as running:
            running.await_following()
            assert not any("brought to the state" in line for line in running.said)


def test_a_connection_that_is_lost_while_a_slot_is_made_does_not_end_the_follower(
    followed: Project, target: Graph
) -> None:
    followed.map_only("Plan")
    waiting = (
        "SELECT pid FROM pg_stat_activity WHERE starts_with(datname, %s)"
        " AND query LIKE '%%pg_create_logical_replication_slot%%' AND state = 'active'"
        " AND pid <> pg_backend_pid()"
    )
    with (
        followed.connect("profiles_db") as source,
        followed.servers.postgres.connect("postgres") as admin,
    ):
        # A slot waits for transactions that are under way.
        source.execute("BEGIN")
        source.execute("INSERT INTO plans VALUES (61, 'under way', 1)")
        with following() as running:
            pids: list[int] = []

            def is_waiting() -> bool:
                pids[:] = [row[0] for row in admin.execute(waiting, (followed.prefix,))]
                return bool(pids)

            running.wait(is_waiting)
            admin.execute("SELECT pg_terminate_backend(%s)", (pids[0],))
            running.wait(lambda: any("Tried again" in line for line in running.said))
            source.execute("COMMIT")
            running.await_following()
