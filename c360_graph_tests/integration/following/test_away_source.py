"""One source goes away while the others are followed, and comes back."""

from __future__ import annotations

import pytest

from c360_graph.following import held_back
from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import Project
from c360_graph_tests.integration.following.followed import following
from c360_graph_tests.integration.runs import source_behind_proxy


def test_the_others_are_followed_while_one_source_is_away_and_it_is_made_up_for(
    followed: Project, target: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_back, "PROBE_SECONDS", 0.5)
    followed.map_only("Account", "Plan", "Ticket")
    with source_behind_proxy(followed, "support_db", monkeypatch) as proxy:
        with (
            following() as running,
            followed.connect("profiles_db") as profiles,
            followed.connect("support_db") as support,
        ):
            running.await_following()
            with proxy.refusing():
                running.await_following(2)
                support.execute("UPDATE tickets SET subject = 'while away'")
                profiles.execute("INSERT INTO plans VALUES (71, 'seventy-one', 1)")
                running.wait(lambda: target.rows("MATCH (p:Plan {plan_id: 71}) RETURN 1 AS x"))
                assert (
                    target.rows("MATCH (t:Ticket {subject: 'while away'}) RETURN t LIMIT 1") == []
                )
            running.wait(
                lambda: (
                    not target.rows(
                        "MATCH (t:Ticket) WHERE t.subject <> 'while away' RETURN t LIMIT 1"
                    )
                )
            )
        # Its slot was there all the time.
        assert len([line for line in running.said if "brought to the state" in line]) == 1
        assert any("The other sources are followed." in line for line in running.said)
