"""What a source publishes: tables by name, and of each the key alone."""

from __future__ import annotations

import json

from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.following.followed import following
from c360_graph_tests.integration.runs import c360

_COLUMNS = "SELECT tablename::text, attnames::text[] FROM pg_publication_tables ORDER BY tablename"


def test_only_keys_are_published_and_a_table_without_a_key_is_not_touched(
    followed: Project, target: Graph
) -> None:
    with followed.connect("support_db") as source:
        source.execute("CREATE TABLE notes (note text)")
        source.execute("CREATE VIEW open_tickets AS SELECT * FROM tickets WHERE status = 'open'")
        source.execute("INSERT INTO notes VALUES ('one')")
    followed.execute(
        "INSERT INTO node_label_mappings (source_id, table_name, node_label) SELECT source_id, t, l"
        " FROM source_databases, (VALUES ('notes', 'Note'), ('open_tickets', 'OpenTicket')) AS v (t, l)"
        " WHERE source_name = 'support_db'"
    )
    with following() as running:
        running.await_following()
        with followed.connect("profiles_db") as profiles:
            published: dict[str, list[str]] = dict(profiles.execute(_COLUMNS).fetchall())
            assert published["accounts"] == ["account_id"]
            assert {*published} == {"accounts", "plans", "payment_methods", "subscriptions"}
        with followed.connect("support_db") as support:
            published = dict(support.execute(_COLUMNS).fetchall())
            assert {*published} == {"tickets", "ticket_tags", "ticket_tag_link"}
            # What would fail in the application, were the table published.
            support.execute("UPDATE notes SET note = 'two'")
        said = "\n".join(running.said)
        assert "support_db/notes: it has no key that is read" in said
        assert "support_db/open_tickets: it is a view" in said
        status = c360("follow", "--status", "--json")
        assert status.returncode == 0, status.stderr
        shown = json.loads(status.stdout)
        assert {s["source"]: s["state"] for s in shown["sources"]} == dict.fromkeys(
            ("profiles_db", "streaming_db", "support_db"), "followed"
        )
        assert {*shown["not_followed"]} == {"support_db/notes", "support_db/open_tickets"}


def test_what_a_dba_needs_is_printed_and_tested(followed: Project, target: Graph) -> None:
    printed = c360("follow", "--sql")
    assert printed.returncode == 0, printed.stderr
    assert 'FOR TABLE "public"."accounts" ("account_id"), ' in printed.stdout
    assert "hashed_password" not in printed.stdout
    assert "rds.logical_replication" in printed.stdout
    checked = c360("follow", "--check", "--json")
    # The sandbox lets a slot keep what it likes; everything else is there.
    assert checked.returncode == 1
    missing = {
        finding["what"]
        for source in json.loads(checked.stdout)
        for finding in source["findings"]
        if not finding["is_good"]
    }
    assert missing == {"max_slot_wal_keep_size is -1"}
    with followed.connect("profiles_db") as source:
        assert source.execute("SELECT FROM pg_publication").fetchall() == []
