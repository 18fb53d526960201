"""`python -m benchmarks.big_table`: how fast one big table is read, by one step and by several."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from benchmarks.dataset import Counts
from benchmarks.mapped_source import mapped_source
from benchmarks.measurement import run
from benchmarks.target import Memory, temporary_target

SOURCE, CONTROL = "big", "etl_control_db"
_TABLE = """
CREATE UNLOGGED TABLE events (
    event_id   bigint PRIMARY KEY,
    account_id integer NOT NULL,
    happened   timestamptz NOT NULL,
    amount     numeric(12, 2) NOT NULL,
    device     text NOT NULL,
    details    text NOT NULL
);
INSERT INTO events
SELECT n, n % 1000003, timestamptz '2026-01-01' + n * interval '1 second', n % 9973 / 7.0,
    'device-' || n % 50021, repeat(md5(n::text), {blocks})
FROM generate_series(1, {rows}) AS n;
ANALYZE events;
"""
_READING = (
    "SELECT extract(epoch FROM end_time - start_time), rows_processed,"
    " (SELECT count(DISTINCT reader) FROM etl_table_ranges AS r"
    " WHERE r.table_log_id = l.table_log_id)"
    " FROM etl_table_logs AS l ORDER BY table_log_id DESC LIMIT 1"
)

app = typer.Typer(pretty_exceptions_enable=False)


@dataclass(frozen=True, kw_only=True)
class TableRead:
    """A run that read the table; `readers` are the processes that read ranges of it, `peak_mb` is of the largest."""

    rows: int
    readers: int
    seconds: float
    rows_per_second: int
    extract_mb: int
    client_cpu: float
    postgres_cpu: float
    peak_mb: float


@app.command()
def main(
    rows: Annotated[int, typer.Option(help="Rows of the table.")] = 20_000_000,
    blocks: Annotated[int, typer.Option(help="Of 32 bytes in each row.")] = 5,
    readers: Annotated[list[int] | None, typer.Option(help="Steps that read it.")] = None,
    rounds: Annotated[int, typer.Option(help="How often each is measured.")] = 1,
) -> None:
    """Read one table by one step and by several, in processes of their own, in turn."""
    with temporary_target(line="2026", memory=Memory(heap_mb=512, page_cache_mb=64)) as (
        target,
        folder,
    ):
        environment = mapped_source(
            target,
            folder,
            tables=_TABLE.format(rows=rows, blocks=blocks),
            database=SOURCE,
            source=SOURCE,
            control=CONTROL,
        )
        for _ in range(rounds):
            for number in readers or [1, 2]:
                usage = run(
                    [
                        *(sys.executable, "-m", "dagster", "asset", "materialize"),
                        *("--select", f"key:{SOURCE}/events", "-m", "c360_graph.definitions"),
                    ],
                    environment=environment
                    | {
                        "C360_EXECUTOR": "multiprocess",
                        "C360_READERS_OF_A_TABLE": str(number),
                    },
                    folder=folder,
                    target=target,
                    counts=Counts(nodes={}, relationships={}),
                )
                with target.source_server.connect(CONTROL) as connection:
                    ((seconds, read, found),) = connection.execute(_READING).fetchall()
                data = folder / "data"
                size = sum(path.stat().st_size for path in data.rglob("rows*.tsv"))
                shutil.rmtree(data)
                measured = TableRead(
                    rows=read,
                    readers=max(1, found),
                    seconds=round(float(seconds), 1),
                    rows_per_second=round(read / float(seconds)),
                    extract_mb=round(size / 1_000_000),
                    client_cpu=round(usage.client_cpu, 1),
                    postgres_cpu=round(usage.postgres_cpu, 1),
                    peak_mb=round(usage.peak_mb, 1),
                )
                typer.echo(json.dumps(asdict(measured)))


if __name__ == "__main__":
    app()
