"""Whatever happens to the sources, the servers and the follower, the graph is in the end what SQL says."""

from __future__ import annotations

import os
from pathlib import Path

from c360_graph.graph.connection import Graph
from c360_graph_tests.conftest import Project, TestServers
from c360_graph_tests.integration.following.endurance import endure
from c360_graph_tests.integration.following.faults import Sizes
from c360_graph_tests.integration.following.followed import following
from c360_graph_tests.integration.server_process import server_process

SEED = int(os.environ.get("C360_TEST_SEED", "1"))


def test_no_change_of_any_table_is_lost_or_made_twice_whatever_fails(
    servers: TestServers, tmp_path: Path
) -> None:
    # `python -m benchmarks.following_faults` does as much as one likes.
    _, sandbox = server_process(servers)
    sizes = Sizes(kills=3, cuts=6, neo4j_restarts=1, postgres_restarts=1)
    endure(servers, tmp_path, sandbox=sandbox, sizes=sizes, seed=SEED, most_pause=1.0).check()


def test_restarting_goes_on_where_the_last_follower_ended(followed: Project, target: Graph) -> None:
    followed.map_only("Plan")
    with following() as running:
        running.await_following()
    with followed.connect("profiles_db") as source:
        source.execute("INSERT INTO plans VALUES (55, 'while nobody followed', 1)")
    with following() as running:
        running.await_following()
        running.wait(lambda: target.rows("MATCH (n:Plan {plan_id: 55}) RETURN n.plan_name AS name"))
        # No table was read as a whole again.
        assert not [line for line in running.said if "brought to the state" in line]
