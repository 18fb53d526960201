"""`python -m benchmarks.following_soak`: follow for half an hour while the sources change and others load the graph.

Sessions change all tables of the sample and of three test schemas at a steady rate. At a quarter of the time
the graph is emptied and loaded, at half of it a control row changes, at three quarters the graph is updated by
another load. In the end the graph is compared with one that is loaded into an empty database.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from benchmarks.target import Memory, running_target
from c360_graph.following.mark import read_graph_mark
from c360_graph.sandbox.state import NEO4J_USER
from c360_graph_tests.conftest import TestServers
from c360_graph_tests.integration.following.endurance import (
    Followed,
    await_caught_up,
    followed_schemas,
)
from c360_graph_tests.integration.runs import failure_messages, load_graph

_LOOK_SECONDS = 10.0
_SETTLED_SECONDS = 60.0
"""Memory at the start is looked at so long after the first change."""
_EXCLUDED = (
    "INSERT INTO field_exclusion_rules (source_id, table_name, column_name, is_excluded)"
    " SELECT source_id, 'payment_methods', 'card_last_four', true FROM source_databases"
    " WHERE source_name = 'profiles_db'"
)

app = typer.Typer(pretty_exceptions_enable=False)


@dataclass(kw_only=True)
class Looks:
    """What a look every few seconds shows of the follower."""

    followed: Followed
    memory_mb: list[float] = field(default_factory=list)
    lag_p50_ms: list[float] = field(default_factory=list)
    lag_p99_ms: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def look_until(self, over: threading.Event) -> None:
        """Look again and again."""
        seen = None
        while not over.wait(_LOOK_SECONDS):
            self.memory_mb.append(self.followed.follower.memory_bytes / 1_000_000)
            found = read_graph_mark(self.followed.graph)
            rates = found.follow.rates if found and found.follow else None
            if rates is None or rates.moment == seen or rates.lag_p50_ms is None:
                continue
            seen = rates.moment
            self.lag_p50_ms.append(rates.lag_p50_ms)
            self.lag_p99_ms.append(rates.lag_p99_ms or 0.0)
            self.rates.append(rates.changes_per_second)


def load(*, clear: bool) -> None:
    """A load beside the follower."""
    given = {"clear_database": clear, "max_removed_share": 1.0}
    result = load_graph(run_config={"ops": {"neo4j_graph": {"config": given}}})
    assert result.asset_materializations_for_node("neo4j_graph"), failure_messages(result)


@app.command()
def main(
    minutes: Annotated[float, typer.Option(help="How long.")] = 30.0,
    pause: Annotated[
        float, typer.Option(help="Seconds between the transactions of each session, on average.")
    ] = 0.1,
    seed: Annotated[int, typer.Option(help="Of all that is random.")] = 1,
    line: Annotated[str, typer.Option(help="Line of Neo4j: 2026 or 5.26.")] = "2026",
) -> None:
    """Follow for long."""
    with tempfile.TemporaryDirectory(prefix="c360_soak_") as name:
        folder = Path(name)
        (folder / "imports").mkdir()
        memory = Memory(heap_mb=512, page_cache_mb=128)
        with running_target(
            folder / "sandbox", line=line, memory=memory, imports=folder / "imports"
        ) as target:
            servers = TestServers(
                postgres=target.source_server,
                neo4j_uri=target.neo4j.uri,
                neo4j_username=NEO4J_USER,
                neo4j_password=target.neo4j.password,
                neo4j_line=line,
            )
            with followed_schemas(servers, folder, seed=seed, pause_seconds=pause) as followed:
                said = _soak(followed, seconds=60.0 * minutes)
            typer.echo(json.dumps(said))
            if said["missing"] or said["surplus"] or said["ended_by_itself"]:
                raise typer.Exit(1)


def _soak(followed: Followed, *, seconds: float) -> dict[str, Any]:
    looks, over = Looks(followed=followed), threading.Event()
    events: list[tuple[float, Callable[[], object]]] = [
        (seconds / 4, lambda: load(clear=True)),
        (seconds / 2, lambda: followed.project.execute(_EXCLUDED)),
        (3 * seconds / 4, lambda: load(clear=False)),
        (seconds, lambda: None),
    ]
    looking = threading.Thread(target=looks.look_until, args=(over,), daemon=True)
    looking.start()
    begun = time.monotonic()
    with followed.sessions.running():
        for due, event in events:
            time.sleep(max(0.0, begun + due - time.monotonic()))
            event()
    followed_seconds = time.monotonic() - begun
    await_caught_up(followed.project, followed.follower)
    over.set()
    looking.join()
    followed.follower.stop()
    loaded, missing, surplus = followed.differences()
    early = looks.memory_mb[: round(_SETTLED_SECONDS / _LOOK_SECONDS)]
    return {
        "minutes": round(followed_seconds / 60, 1),
        "changes": sum(followed.sessions.done.values()),
        "changes_per_second": round(median(looks.rates), 1),
        "lag_p50_ms": round(median(looks.lag_p50_ms), 1),
        "lag_p99_ms": round(median(looks.lag_p99_ms), 1),
        "most_lag_p99_ms": round(max(looks.lag_p99_ms), 1),
        "memory_mb_first_minute": round(max(early), 1),
        "memory_mb_last": round(looks.memory_mb[-1], 1),
        "memory_mb_most": round(max(looks.memory_mb), 1),
        "whole_updates": followed.follower.log.read_text().count("brought to the state"),
        "in_the_graph": sum(loaded.values()),
        "missing": sorted(missing.elements())[:20],
        "surplus": sorted(surplus.elements())[:20],
        "ended_by_itself": followed.follower.ended_by_itself,
    }


if __name__ == "__main__":
    app()
