"""This project, whole: `dagster asset materialize` from PostgreSQL to Neo4j."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from benchmarks.contenders.contender import Contender, Ground, Run
from benchmarks.measurement import Usage

_STEP = re.compile(
    r'STEP_SUCCESS - Finished execution of step "(?P<step>\w+)" in'
    r" (?:(?P<hours>\d+)h)?(?:(?P<minutes>\d+)m)?(?:(?P<seconds>[\d.]+)(?P<unit>m?s))?\."
)
_TABLE = "_db__"
"""Between source and table in the name of a step that reads one."""


class WholePipeline(Contender):
    """Extraction, script and load in one run."""

    title = "this project, whole, from Dagster"

    def prepare(self, ground: Ground) -> Run:
        """A Dagster home of its own; data folder and control database are the dataset's."""
        return pipeline_run(ground, clear=True)

    def facts(self, ground: Ground, usage: Usage) -> dict[str, float]:
        """Seconds of each step, and what of the whole is none of theirs."""
        return step_seconds(usage)


def pipeline_run(ground: Ground, *, clear: bool, select: str = "*") -> Run:
    """The command that materializes every asset, or those that are selected."""
    repository = Path(__file__).resolve().parents[2]
    home = ground.folder / "dagster_home"
    home.mkdir(exist_ok=True)
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
    config = {"ops": {"neo4j_graph": {"config": {"clear_database": clear}}}}
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "--select", select]
    command += ["-m", "c360_graph.definitions", "--config-json", json.dumps(config)]
    return Run(
        command=command,
        environment=ground.target.environment(ground.dataset.databases.control)
        | {
            "C360_DATA_DIR": str(ground.folder / "data"),
            "DAGSTER_HOME": str(home),
            "PYTHONPATH": str(repository),
        },
    )


def step_seconds(usage: Usage) -> dict[str, float]:
    """`extraction`, `cypher_script`, `neo4j_graph`, `checks and answers`, and `dagster`, which is all
    that is no step."""
    found = steps_of(usage.output)
    graph, script = found.pop("neo4j_graph"), found.pop("cypher_script")
    extraction = sum(seconds for step, seconds in found.items() if _TABLE in step)
    others = sum(found.values()) - extraction
    return {
        "extraction": extraction,
        "cypher_script": script,
        "neo4j_graph": graph,
        "checks and answers": others,
        "dagster": usage.wall - extraction - script - graph - others,
    }


def steps_of(output: str) -> dict[str, float]:
    """Seconds of each step, from what Dagster prints: whole ones from a minute on, minutes from an hour on."""
    return {match["step"]: _seconds(match) for match in _STEP.finditer(output)}


def _seconds(match: re.Match[str]) -> float:
    seconds = float(match["seconds"] or 0) / (1_000 if match["unit"] == "ms" else 1)
    return 3_600 * int(match["hours"] or 0) + 60 * int(match["minutes"] or 0) + seconds
