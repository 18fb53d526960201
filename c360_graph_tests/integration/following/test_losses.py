"""A source that loses most of its rows, and commits that nobody sees yet."""

from __future__ import annotations

import threading
from itertools import count as count_from

import pytest

from c360_graph.following import held_back
from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.following.followed import following


def count(graph: Graph, label: str) -> int:
    return int(graph.rows(f"MATCH (n:{label}) RETURN count(n) AS n")[0]["n"])


@pytest.mark.parametrize("loss", ["TRUNCATE play_events", "DELETE FROM play_events"])
def test_a_table_that_loses_most_of_its_rows_is_held_until_it_is_released(
    followed: Project, target: Graph, monkeypatch: pytest.MonkeyPatch, loss: str
) -> None:
    monkeypatch.setattr(held_back, "MOST_UNGUARDED", 10)
    followed.map_only("Media", "PlayEvent")
    with following() as running:
        running.await_following()
        events = count(target, "PlayEvent")
        assert events > 100
        with followed.connect("streaming_db") as source:
            source.execute(loss.encode())
            source.execute("INSERT INTO media_content VALUES ('other', 'another table')")
        running.wait(lambda: target.rows("MATCH (n:Media {media_id: 'other'}) RETURN 1 AS x"))
        assert count(target, "PlayEvent") == events
        assert any("streaming_db/play_events is held" in line for line in running.said)
    with following() as running:
        running.await_following()
        assert count(target, "PlayEvent") == events
    with following(release=True) as running:
        running.await_following()
        assert count(target, "PlayEvent") == 0
        with followed.connect("streaming_db") as source:
            source.execute("INSERT INTO play_events VALUES (1, 's', NULL, NULL, now(), 'play')")
        running.wait(lambda: count(target, "PlayEvent") == 1)


def test_a_small_truncate_is_followed_and_what_comes_after_it_is_there(
    followed: Project, target: Graph
) -> None:
    followed.map_only("Tag", "Ticket", "TicketTagLink")
    with following() as running, followed.connect("support_db") as source:
        running.await_following()
        with source.transaction():
            rows = source.execute(
                "SELECT ticket_id, tag_id FROM ticket_tag_link LIMIT 3"
            ).fetchall()
            source.execute("TRUNCATE ticket_tag_link")
            for row in rows:
                source.execute("INSERT INTO ticket_tag_link VALUES (%s, %s)", row)
        running.wait(lambda: count(target, "TicketTagLink") == 3)
        edges = target.rows("MATCH (:Ticket)-[r:TAGGED_WITH]->(:Tag) RETURN count(r) AS n")
        assert edges[0]["n"] == 3


def test_a_commit_that_is_in_the_log_and_not_visible_yet_is_waited_for(
    followed: Project, target: Graph
) -> None:
    followed.map_only("Plan")
    with (
        following() as running,
        followed.connect("profiles_db") as source,
        followed.servers.postgres.connect("postgres") as admin,
    ):
        running.await_following()
        # Nobody is such a standby, so that the commit is in the log and waits.
        admin.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        admin.execute("SELECT pg_reload_conf()")
        try:
            source.execute("SET synchronous_commit = on")
            pid = source.info.backend_pid
            inserted: list[int] = []
            is_caught = threading.Event()

            def insert() -> None:
                # The server's processes learn of the setting each in its own time: the checkpointer,
                # which tells the others to wait, only between two of its writes.
                for plan in count_from(91):
                    if is_caught.wait(0.02):
                        return
                    inserted.append(plan)
                    source.execute("INSERT INTO plans VALUES (%s, 'late', 1)", (plan,))

            waiting = threading.Thread(target=insert)
            waiting.start()
            wait_event = "SELECT wait_event FROM pg_stat_activity WHERE pid = %s"

            def is_waiting() -> bool:
                return admin.execute(wait_event, (pid,)).fetchall() == [("SyncRep",)]

            try:
                running.wait(is_waiting)
            finally:
                is_caught.set()
            last = f"MATCH (n:Plan {{plan_id: {inserted[-1]}}}) RETURN 1 AS x"
            threading.Event().wait(3)
            assert is_waiting()
            assert target.rows(last) == []
        finally:
            admin.execute("ALTER SYSTEM RESET synchronous_standby_names")
            admin.execute("SELECT pg_reload_conf()")
        waiting.join(30)
        running.wait(lambda: target.rows(last))


def test_a_row_that_neo4j_refuses_is_recorded_and_tried_again_and_all_others_are_written(
    followed: Project, target: Graph
) -> None:
    followed.map_only("Account")
    errors = "SELECT table_name, row_key, attempts FROM etl_follow_errors"
    ids = [f"00000000-0000-4000-8000-00000000000{n}" for n in range(5)]
    names = ["Ann", "Ann", "Bob", None, "Ann"]
    with following() as running, followed.connect("profiles_db") as source:
        running.await_following()
        # Somebody else's constraint, which only some rows break.
        target.run(
            b"CREATE CONSTRAINT theirs FOR (a:Account) REQUIRE a.full_name IS UNIQUE", tag={}
        )
        with source.transaction():
            for number, (account, name) in enumerate(zip(ids, names, strict=True)):
                source.execute(
                    "INSERT INTO accounts VALUES (%s, %s, 'x', %s, now())",
                    (account, f"refused-{number}@example.org", name),
                )
        written = "MATCH (a:Account) WHERE a.email STARTS WITH 'refused-' RETURN a.account_id AS id"
        running.wait(lambda: len(target.rows(written)) == 3)
        with followed.connect() as control:
            running.wait(lambda: len(control.execute(errors).fetchall()) == 2)
            kept = control.execute(errors).fetchall()
        assert {(row[0], row[2]) for row in kept} == {("accounts", 1)}
    with following() as running:
        running.await_following()
        with followed.connect() as control:
            running.wait(lambda: [row[2] for row in control.execute(errors).fetchall()] == [2, 2])
    target.run(b"DROP CONSTRAINT theirs", tag={})
    with following() as running:
        running.await_following()
        running.wait(lambda: len(target.rows(written)) == 5)
        with followed.connect() as control:
            running.wait(lambda: control.execute(errors).fetchall() == [])
