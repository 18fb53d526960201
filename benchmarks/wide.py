"""`python -m benchmarks.wide`: a table of many columns, from PostgreSQL to Neo4j by `c360 run`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.dataset import Counts
from benchmarks.measurement import C360, Usage, run
from benchmarks.target import Memory, Target, temporary_target
from c360_graph.sandbox.sample import fill_database

PROJECT = Path(__file__).parent.parent
SOURCE, CONTROL = "wide_db", "etl_control_db"
_TYPES = (
    ("varchar(40)", "'value ' || i"),
    ("numeric(12,2)", "i * 1.25"),
    ("integer", "i"),
    ("timestamptz", "timestamptz '2025-01-01 12:00:00+00' + i * interval '1 second'"),
    ("boolean", "i % 2 = 0"),
    ("date", "date '2025-01-01' + i % 1000"),
    ("double precision", "i / 4.0"),
)
"""What the columns are beside the key, in turn: type, and the value of row i; every fifth value is NULL."""

app = typer.Typer(pretty_exceptions_enable=False)


@dataclass(frozen=True, kw_only=True)
class Wide:
    """A run over the table. Sizes are in bytes, seconds and MB are of the whole run."""

    columns: int
    rows: int
    seconds: float
    rows_per_second: float
    """While nodes are made."""
    neo4j_cpu_seconds: float
    client_cpu_seconds: float
    client_peak_mb: float
    extract_bytes: int
    script_to_extract: float


@app.command()
def main(
    rows: Annotated[int, typer.Option(help="Rows of the table.")] = 100_000,
    columns: Annotated[list[int] | None, typer.Option(help="Columns beside the key.")] = None,
    heap_mb: Annotated[int, typer.Option(help="Neo4j's heap.")] = 512,
    page_cache_mb: Annotated[int, typer.Option(help="Neo4j's page cache.")] = 128,
    line: Annotated[str, typer.Option(help="Line of Neo4j: 2026 or 5.26.")] = "2026",
) -> None:
    """Measure how fast a wide table goes in. Each result is a line of JSON."""
    memory = Memory(heap_mb=heap_mb, page_cache_mb=page_cache_mb)
    with temporary_target(line=line, memory=memory) as (target, folder):
        for width in columns or [8, 76]:
            target.empty()
            typer.echo(json.dumps(asdict(measure(target, folder / str(width), rows, width))))


def measure(target: Target, folder: Path, rows: int, columns: int) -> Wide:
    """Make the table, run the pipeline over it, and say what that took."""
    folder.mkdir()
    control = f"{CONTROL}_{columns}"
    _fill(target, folder, control, rows, columns)
    usage = _run(target, folder, control, rows)
    extract, script = _size(folder, "extracts/**/*"), _size(folder, "scripts/*")
    seconds = usage.node_seconds or float("nan")
    return Wide(
        columns=columns,
        rows=rows,
        seconds=round(usage.wall, 1),
        rows_per_second=round(rows / seconds, 1),
        neo4j_cpu_seconds=round(usage.neo4j_cpu, 1),
        client_cpu_seconds=round(usage.client_cpu, 1),
        client_peak_mb=round(usage.tree_mb, 1),
        extract_bytes=extract,
        script_to_extract=round(script / extract, 3) if extract else float("nan"),
    )


def _fill(target: Target, folder: Path, control: str, rows: int, columns: int) -> None:
    source = f"{SOURCE}_{columns}"
    made = folder / "table.sql"
    made.write_text(_table(rows, columns), encoding="utf-8")
    fill_database(target.source_server, name=source, files=(made,))
    mapped = folder / "control_rows.sql"
    mapped.write_text(
        "INSERT INTO source_databases (source_id, source_name, db_host, db_port, db_name, db_user,"
        " db_password, is_active) VALUES"
        f" (1, '{SOURCE}', '{target.source_server.host}', {target.source_server.port}, '{source}',"
        f" '{target.source_server.user}', '{target.source_server.password or ''}', true);\n"
        "INSERT INTO node_label_mappings (source_id, table_name, node_label) VALUES (1, 'wide', 'Wide');\n",
        encoding="utf-8",
    )
    schema = PROJECT / "sql" / f"{CONTROL}_schema.sql"
    fill_database(target.source_server, name=control, files=(schema, mapped))


def _table(rows: int, columns: int) -> str:
    chosen = [(f"column_{number}", *_TYPES[number % len(_TYPES)]) for number in range(columns)]
    definitions = "".join(f", {name} {kind}" for name, kind, _ in chosen)
    values = "".join(
        f", CASE WHEN (i + {number}) % 5 > 0 THEN {value} END"
        for number, (_, _, value) in enumerate(chosen)
    )
    return (
        f"CREATE TABLE wide (wide_id bigint PRIMARY KEY{definitions});\n"
        f"INSERT INTO wide SELECT i{values} FROM generate_series(1, {rows}) AS i;\n"
    )


def _run(target: Target, folder: Path, control: str, rows: int) -> Usage:
    return run(
        [*C360, "run", "--clear"],
        environment=target.environment(control)
        | {
            "C360_DATA_DIR": str(folder / "data"),
            "C360_QUERIES_DIR": str(_made(folder / "queries")),
            "PYTHONPATH": str(PROJECT),
        },
        folder=folder,
        target=target,
        counts=Counts(nodes={"Wide": rows}, relationships={}),
    )


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def _size(folder: Path, pattern: str) -> int:
    return sum(each.stat().st_size for each in (folder / "data").glob(pattern) if each.is_file())


if __name__ == "__main__":
    app()
