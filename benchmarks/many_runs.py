"""`python -m benchmarks.many_runs`: runs over many small tables, and how much of them is Dagster's."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.dataset import Counts
from benchmarks.many_tables import ManyTables
from benchmarks.mapped_source import mapped_source
from benchmarks.measurement import Usage, run
from benchmarks.target import Memory, Target, temporary_target

SOURCE, CONTROL = "many", "etl_control_db"
_STEPS = (
    "SELECT step_key, min(timestamp) FILTER (WHERE dagster_event_type = 'STEP_START'),"
    " max(timestamp) FILTER (WHERE dagster_event_type IN ('STEP_SUCCESS', 'STEP_FAILURE'))"
    " FROM dagster.event_logs WHERE step_key IS NOT NULL GROUP BY step_key"
)
_READING = (
    "SELECT count(*), extract(epoch FROM sum(end_time - start_time)) FROM etl_table_logs"
    " WHERE status = 'completed'"
)

app = typer.Typer(pretty_exceptions_enable=False)


class Until(StrEnum):
    """The last assets of a run."""

    TABLES = "tables"
    SCRIPT = "script"
    GRAPH = "graph"
    ALL = "all"


_AFTER_TABLES: dict[Until, frozenset[str]] = {
    Until.TABLES: frozenset(),
    Until.SCRIPT: frozenset({"cypher_script"}),
    Until.GRAPH: frozenset({"cypher_script", "neo4j_graph"}),
}


@dataclass(frozen=True, kw_only=True)
class ManyRun:
    """A run over many tables, in seconds.

    `until_reading` is from the start of the process to the first step, `reading` from there to the end of the
    last step that reads tables, and `tables_alone` what the audit rows of the tables say. `dagster` is what
    neither a table nor another step took.
    """

    tables: int
    table_steps: int
    wall: float
    until_reading: float
    reading: float
    tables_alone: float
    others: dict[str, float]
    dagster: float
    client_cpu: float
    postgres_cpu: float
    neo4j_cpu: float
    client_peak_mb: float


@app.command()
def main(
    tables: Annotated[list[int] | None, typer.Option(help="How many tables.")] = None,
    rows: Annotated[int, typer.Option(help="Rows of each table.")] = 5,
    until: Annotated[Until, typer.Option(help="The last assets of each run.")] = Until.ALL,
    heap_mb: Annotated[int, typer.Option(help="Neo4j's heap.")] = 1_024,
    page_cache_mb: Annotated[int, typer.Option(help="Neo4j's page cache.")] = 128,
    line: Annotated[str, typer.Option(help="Line of Neo4j: 2026 or 5.26.")] = "2026",
) -> None:
    """Measure runs over many small tables, a line of JSON each. C360_* say how the steps are executed."""
    memory = Memory(heap_mb=heap_mb, page_cache_mb=page_cache_mb)
    with temporary_target(line=line, memory=memory) as (target, folder):
        for number in tables or [100, 500, 1_000]:
            target.empty()
            many = ManyTables(tables=number, rows=rows)
            measured = measure(target, folder / str(number), many, until)
            typer.echo(json.dumps(asdict(measured)))


def measure(target: Target, folder: Path, many: ManyTables, until: Until) -> ManyRun:
    """Make and map the tables, run the pipeline over them, and say what that took."""
    folder.mkdir()
    control = f"{CONTROL}_{many.tables}"
    environment = mapped_source(
        target,
        folder,
        tables=f"{many.sql()}ANALYZE;",
        database=f"{SOURCE}_{many.tables}",
        source=SOURCE,
        control=control,
    )
    begun = datetime.now(UTC).replace(tzinfo=None)
    usage = run(
        [
            sys.executable,
            "-c",
            f"from benchmarks.many_runs import run_until; run_until({until.value!r})",
        ],
        environment=environment,
        folder=folder,
        target=target,
        counts=Counts(nodes={"any": (many.tables - many.junctions) * many.rows}, relationships={}),
    )
    return _result(target, control, many, begun, usage)


def run_until(until: str) -> None:
    """A run in this process of all assets up to some, as `c360 run` makes it."""
    from c360_graph.command_run import CommandRun, instance_for_commands

    started = CommandRun()
    chosen = started.keys
    if until != Until.ALL:
        chosen = [
            key
            for key in chosen
            if key.path[0] == SOURCE or key.path[0] in _AFTER_TABLES[Until(until)]
        ]
    with instance_for_commands() as instance:
        last = [*started.events(instance, chosen, run_config={}, tags={})][-1]
    if not last.is_job_success:
        raise SystemExit(last.message)


def _result(
    target: Target, control: str, many: ManyTables, begun: datetime, usage: Usage
) -> ManyRun:
    with target.source_server.connect(control) as connection:
        steps = {name: (start, end) for name, start, end in connection.execute(_STEPS)}
        ((read, alone),) = connection.execute(_READING).fetchall()
    assert read == many.tables
    reading = [times for name, times in steps.items() if name.startswith(f"{SOURCE}__")]
    others = {
        name: round((end - start).total_seconds(), 1)
        for name, (start, end) in steps.items()
        if not name.startswith(f"{SOURCE}__")
    }
    first, last = min(start for start, _ in reading), max(end for _, end in reading)
    return ManyRun(
        tables=many.tables,
        table_steps=len(reading),
        wall=round(usage.wall, 1),
        until_reading=round((first - begun).total_seconds(), 1),
        reading=round((last - first).total_seconds(), 1),
        tables_alone=round(float(alone), 1),
        others=others,
        dagster=round(usage.wall - float(alone) - sum(others.values()), 1),
        client_cpu=round(usage.client_cpu, 1),
        postgres_cpu=round(usage.postgres_cpu, 1),
        neo4j_cpu=round(usage.neo4j_cpu, 1),
        client_peak_mb=round(usage.tree_mb, 1),
    )


if __name__ == "__main__":
    app()
