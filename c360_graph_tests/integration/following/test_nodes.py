"""Rows that change while the sources are followed."""

from __future__ import annotations

from typing import Any

from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.following.followed import following

ACCOUNT = "00000000-0000-4000-8000-000000000001"


def emails(graph: Graph) -> dict[str, Any]:
    rows = graph.rows("MATCH (a:Account) RETURN a.account_id AS id, a.email AS email")
    return {row["id"]: row["email"] for row in rows}


def test_a_row_that_is_inserted_changed_and_deleted_is_so_in_the_graph_while_the_source_is_followed(
    followed: Project, target: Graph
) -> None:
    followed.map_only("Account")
    with following() as running, followed.connect("profiles_db") as source:
        running.await_following()
        with_sample = emails(target)
        assert len(with_sample) == len(source.execute("SELECT FROM accounts").fetchall())
        source.execute(
            "INSERT INTO accounts VALUES (%s, 'new@example.org', 'secret', 'New', now())",
            (ACCOUNT,),
        )
        running.wait(lambda: emails(target).get(ACCOUNT) == "new@example.org")
        source.execute(
            "UPDATE accounts SET email = 'x@example.org' WHERE account_id = %s", (ACCOUNT,)
        )
        running.wait(lambda: emails(target).get(ACCOUNT) == "x@example.org")
        (node,) = target.rows(
            "MATCH (a:Account {account_id: $id}) RETURN keys(a) AS keys", id=ACCOUNT
        )
        assert "hashed_password" not in node["keys"]
        source.execute("DELETE FROM accounts WHERE account_id = %s", (ACCOUNT,))
        running.wait(lambda: emails(target) == with_sample)
