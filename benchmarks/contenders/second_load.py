"""This project once more, after a thousandth of the rows changed: `clear_database: false`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from benchmarks.contenders.contender import Contender, Ground, Run
from benchmarks.contenders.pipeline import pipeline_run, step_seconds, steps_of
from benchmarks.measurement import Usage
from c360_graph.errors import SandboxError

_CHANGES = Path(__file__).resolve().parents[1] / "sql" / "changes"


class SecondLoad(Contender):
    """What is measured is the load after the changes; the load before it is run unmeasured."""

    title = "this project, second load, 0.1 % of rows changed"

    def prepare(self, ground: Ground) -> Run:
        """Load everything, keep that step's seconds, change the sources."""
        first = pipeline_run(ground, clear=True, select="*neo4j_graph")
        done = subprocess.run(  # noqa: S603
            first.command,
            env={**os.environ, **first.environment},
            cwd=ground.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SandboxError(f"The first load failed:\n{done.stderr[-2_000:]}")
        seconds = steps_of(done.stdout + done.stderr)["neo4j_graph"]
        _first_load(ground).write_text(str(seconds), encoding="utf-8")
        _change(ground)
        return pipeline_run(ground, clear=False)

    def facts(self, ground: Ground, usage: Usage) -> dict[str, float]:
        """Its steps, and the step `neo4j_graph` of the load before."""
        first = float(_first_load(ground).read_text(encoding="utf-8"))
        return {**step_seconds(usage), "neo4j_graph of the first load": first}


def _first_load(ground: Ground) -> Path:
    return ground.folder / "first_load_seconds.txt"


def _change(ground: Ground) -> None:
    """Other rows each time: no row gets the value that it has already."""
    databases = ground.dataset.databases
    for file in sorted(_CHANGES.glob("*.sql")):
        with databases.server.connect(databases.source(file.stem)) as connection:
            connection.execute(file.read_bytes())
