"""`python -m benchmarks.following_faults`: whether following loses a change, whatever fails.

All tables of the sample and of three test schemas change in concurrent sessions. Meanwhile the follower is
killed, its connections are cut, and both servers are restarted, some of them killed. In the end the graph is
compared with one that is loaded into an empty database: every node, property and relationship.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.target import Memory, running_target
from c360_graph.sandbox.state import NEO4J_USER
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.following.endurance import endure
from c360_graph_tests.integration.following.faults import Sizes

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def main(
    kills: Annotated[int, typer.Option(help="SIGKILLs of the follower.")] = 50,
    cuts: Annotated[int, typer.Option(help="Cut connections.")] = 100,
    neo4j_restarts: Annotated[int, typer.Option(help="Restarts of Neo4j.")] = 4,
    postgres_restarts: Annotated[int, typer.Option(help="Restarts of PostgreSQL.")] = 4,
    seed: Annotated[
        list[int] | None, typer.Option(help="Of all that is random; several: one run each.")
    ] = None,
    pause: Annotated[
        float, typer.Option(help="Seconds between the transactions of each session, on average.")
    ] = 0.2,
    most_minutes: Annotated[
        float, typer.Option(help="Nothing more goes wrong after so many minutes of a run.")
    ] = 120.0,
    line: Annotated[str, typer.Option(help="Line of Neo4j: 2026 or 5.26.")] = "2026",
) -> None:
    """Try to lose changes."""
    sizes = Sizes(
        kills=kills, cuts=cuts, neo4j_restarts=neo4j_restarts, postgres_restarts=postgres_restarts
    )
    with tempfile.TemporaryDirectory(prefix="c360_faults_") as name:
        sandbox = Path(name) / "sandbox"
        (Path(name) / "imports").mkdir()
        memory = Memory(heap_mb=512, page_cache_mb=128)
        with running_target(
            sandbox, line=line, memory=memory, imports=Path(name) / "imports"
        ) as target:
            servers = TestServers(
                postgres=target.source_server,
                neo4j_uri=target.neo4j.uri,
                neo4j_username=NEO4J_USER,
                neo4j_password=target.neo4j.password,
                neo4j_line=line,
            )
            for number in seed or [1]:
                folder = Path(name) / f"seed-{number}"
                folder.mkdir()
                outcome = endure(
                    servers,
                    folder,
                    sandbox=sandbox,
                    sizes=sizes,
                    seed=number,
                    pause_seconds=pause,
                    most_seconds=60.0 * most_minutes,
                )
                typer.echo(json.dumps(outcome.summary))
                outcome.check()


if __name__ == "__main__":
    app()
