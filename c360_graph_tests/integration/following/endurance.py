"""Random changes of all tables of four schemas while everything goes wrong, and what the graph is like afterwards."""

from __future__ import annotations

import json
import math
import random
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from c360_graph.control.connection import ControlDatabase
from c360_graph.following.mark import FollowMark, read_graph_mark
from c360_graph.following.relationships import Patterns
from c360_graph.graph.connection import Graph
from c360_graph.mapping.model import GraphMapping
from c360_graph.pipeline.read_mapping import find_mapping_state
from c360_graph.settings import load_settings
from c360_graph_tests.conftest import Project, TestServers, empty
from c360_graph_tests.integration.following.all_schemas import all_schemas
from c360_graph_tests.integration.following.faults import (
    Faults,
    FollowerProcess,
    Sizes,
    behind_proxy,
)
from c360_graph_tests.integration.following.random_changes import Sessions, Table, read_tables
from c360_graph_tests.integration.runs import failure_messages, load_graph

CAUGHT_UP_SECONDS = 600.0
_BEHIND = (
    "SELECT count(*) FROM pg_replication_slots WHERE starts_with(database, %s)"
    " AND confirmed_flush_lsn < %s::pg_lsn"
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was done, and how the followed graph differs from one that was loaded into an empty database."""

    seed: int
    seconds: float
    faults: Counter[str]
    changes: Counter[str]
    nodes: int
    relationships: int
    missing: list[str]
    surplus: list[str]
    ended_by_itself: list[int | None]
    whole_updates: int
    """How many times every table was read."""

    @property
    def summary(self) -> dict[str, Any]:
        """Without the differences themselves."""
        return {
            "seed": self.seed,
            "seconds": round(self.seconds),
            "faults": dict(self.faults),
            "changes": dict(self.changes),
            "nodes": self.nodes,
            "relationships": self.relationships,
            "missing": len(self.missing),
            "surplus": len(self.surplus),
            "ended_by_itself": self.ended_by_itself,
            "whole_updates": self.whole_updates,
        }

    def check(self) -> None:
        """Make sure that nothing is lost and nothing is there twice.

        Raises:
            AssertionError: says the seed, and what differs.
        """
        said = [
            json.dumps(self.summary),
            "missing:",
            *self.missing[:10],
            "surplus:",
            *self.surplus[:10],
        ]
        assert self.missing == self.surplus == [], "\n".join(said)
        assert not self.ended_by_itself, said[0]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What of a graph is compared: not what no change of a source is followed for."""

    without_labels: Collection[str]
    without_types: Collection[str]


@dataclass(frozen=True, kw_only=True)
class Followed:
    """A project that is followed while sessions change its sources."""

    project: Project
    graph: Graph
    follower: FollowerProcess
    sessions: Sessions
    mapping: GraphMapping
    mark: FollowMark

    def differences(self) -> tuple[Counter[str], Counter[str], Counter[str]]:
        """What a load into an empty graph makes, and what of it the followed graph lacks or has beyond it."""
        compared = what_is_compared(self.mapping, self.mark)
        followed = contents(self.graph, compared)
        result = load_graph()
        assert result.asset_materializations_for_node("neo4j_graph"), failure_messages(result)
        loaded = contents(self.graph, compared)
        return loaded, loaded - followed, followed - loaded


@contextmanager
def followed_schemas(
    servers: TestServers,
    folder: Path,
    *,
    seed: int,
    pause_seconds: float,
    neo4j_uri: str | None = None,
) -> Iterator[Followed]:
    """The four schemas, followed by a process; its sessions are not begun yet.

    `neo4j_uri` is another way to Neo4j for the follower.
    """
    with all_schemas(servers, folder) as project, servers.open_graph() as graph:
        empty(graph)
        control = ControlDatabase(servers.credentials(project.control_db))
        mapping = find_mapping_state(control, load_settings()).mapping()
        follower = FollowerProcess(
            log=folder / "follow.log",
            options=("--max-removed-share", "1.0"),
            environment={"NEO4J_URI": neo4j_uri or servers.neo4j_uri},
        )
        try:
            with follower.running():
                mark = _mark(graph)
                sessions = Sessions(
                    server=servers.postgres,
                    tables=followed_tables(project, mapping, mark.unfollowed),
                    seed=seed,
                    pause_seconds=pause_seconds,
                )
                yield Followed(
                    project=project,
                    graph=graph,
                    follower=follower,
                    sessions=sessions,
                    mapping=mapping,
                    mark=mark,
                )
        finally:
            empty(graph)


def endure(
    servers: TestServers,
    folder: Path,
    *,
    sandbox: Path,
    sizes: Sizes,
    seed: int,
    pause_seconds: float = 0.2,
    most_pause: float = 3.0,
    most_seconds: float = math.inf,
) -> Outcome:
    """Follow four schemas while they change and while everything goes wrong, then compare."""
    begun = time.monotonic()
    with (
        behind_proxy(servers) as proxy,
        followed_schemas(
            servers, folder, seed=seed, pause_seconds=pause_seconds, neo4j_uri=proxy.uri
        ) as followed,
    ):
        faults = Faults(
            project=followed.project,
            follower=followed.follower,
            proxy=proxy,
            folder=sandbox,
            rng=random.Random(seed),
        )
        with followed.sessions.running():
            faults.run(sizes, most_pause=most_pause, most_seconds=most_seconds)
        await_caught_up(followed.project, followed.follower)
        followed.follower.stop()
        seconds = time.monotonic() - begun
        loaded, missing, surplus = followed.differences()
    return Outcome(
        seed=seed,
        seconds=seconds,
        faults=faults.done,
        changes=followed.sessions.done,
        nodes=sum(count for text, count in loaded.items() if text.startswith("node")),
        relationships=sum(count for text, count in loaded.items() if text.startswith("edge")),
        missing=sorted(missing.elements()),
        surplus=sorted(surplus.elements()),
        ended_by_itself=followed.follower.ended_by_itself,
        whole_updates=followed.follower.log.read_text().count("brought to the state"),
    )


def _mark(graph: Graph) -> FollowMark:
    found = read_graph_mark(graph)
    assert found is not None
    assert found.follow is not None
    return found.follow


def followed_tables(
    project: Project, mapping: GraphMapping, unfollowed: Collection[str]
) -> dict[str, list[Table]]:
    """The tables that change, by the name of their database."""
    found: dict[str, list[Table]] = {}
    for database in sorted({table.source.db_name for table in mapping.source_tables}):
        with project.servers.postgres.connect(database) as connection:
            found[database] = read_tables(
                connection,
                (
                    table
                    for table in mapping.source_tables
                    if table.source.db_name == database and table.qualified_name not in unfollowed
                ),
                mapping=mapping,
            )
    return {database: tables for database, tables in found.items() if tables}


def await_caught_up(project: Project, follower: FollowerProcess) -> None:
    """Until every source's log was followed to where it is now."""
    with project.servers.postgres.connect("postgres") as connection:
        ((now,),) = connection.execute("SELECT pg_current_wal_lsn()::text").fetchall()

        def is_behind() -> bool:
            ((count,),) = connection.execute(_BEHIND, (project.prefix, now)).fetchall()
            return bool(count)

        follower.wait(lambda: not is_behind(), seconds=CAUGHT_UP_SECONDS)


def what_is_compared(mapping: GraphMapping, mark: FollowMark) -> Compared:
    """Nodes of views change with their tables; relationships through a table that is not followed do not
    come back with a node."""
    mapped = {table.qualified_name for table in mapping.tables} - {*mark.unfollowed}
    views = {
        table.node_label
        for table in mapping.tables
        if table.node_label and "view" in mark.unfollowed.get(table.qualified_name, "")
    }
    return Compared(
        without_labels=views,
        without_types={p.edges[0] for p in Patterns(mapping, mapped).left},
    )


def contents(graph: Graph, compared: Compared) -> Counter[str]:
    """Every node and relationship as a text, with its properties and those of both ends."""
    nodes = graph.rows(
        "MATCH (n) WHERE NOT labels(n)[0] STARTS WITH '_C360' AND NONE(l IN labels(n) WHERE l IN $without)"
        " RETURN labels(n) AS l, properties(n) AS p",
        without=[*compared.without_labels],
    )
    edges = graph.rows(
        "MATCH (a)-[r]->(b) WHERE NOT type(r) IN $types"
        " AND NONE(l IN labels(a) + labels(b) WHERE l IN $without)"
        " RETURN labels(a) AS la, properties(a) AS a, type(r) AS t, properties(r) AS p,"
        " labels(b) AS lb, properties(b) AS b",
        types=[*compared.without_types],
        without=[*compared.without_labels],
    )
    return Counter(
        [*(f"node {_text(row)}" for row in nodes), *(f"edge {_text(row)}" for row in edges)]
    )


def _text(row: dict[str, Any]) -> str:
    return repr(
        sorted(
            (
                name,
                sorted(value.items())
                if isinstance(value, dict)
                else sorted(value)
                if isinstance(value, list)
                else value,
            )
            for name, value in row.items()
        )
    )
