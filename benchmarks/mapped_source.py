"""A source of generated tables that `c360 map` maps."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from benchmarks.measurement import C360
from benchmarks.target import Target
from c360_graph.sandbox.sample import fill_database

PROJECT = Path(__file__).parent.parent


def mapped_source(
    target: Target, folder: Path, *, tables: str, database: str, source: str, control: str
) -> dict[str, str]:
    """Make tables and a control database, and map each table; returns the settings of runs.

    Args:
        target: the servers.
        folder: where runs are started, and have their data folder.
        tables: SQL that makes the tables.
        database: the name of their database.
        source: what the control database calls it.
        control: the name of the control database.
    """
    server = target.source_server
    made, known = folder / "tables.sql", folder / "source.sql"
    made.write_text(tables, encoding="utf-8")
    known.write_text(
        f"INSERT INTO source_databases (source_name, db_name) VALUES ('{source}', '{database}');",
        encoding="utf-8",
    )
    fill_database(server, name=database, files=(made,))
    schema = PROJECT / "sql" / "etl_control_db_schema.sql"
    fill_database(server, name=control, files=(schema, known))
    shutil.copy(PROJECT / "dagster.yaml", folder)
    environment = target.environment(control) | {
        "C360_DATA_DIR": str(folder / "data"),
        "PYTHONPATH": str(PROJECT),
    }
    subprocess.run(  # noqa: S603
        [*C360, "map", source, "--apply", "--yes"],
        env={**os.environ, **environment},
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return environment
