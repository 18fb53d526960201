"""This project's loader on a script that is there: `c360 load`."""

from __future__ import annotations

import re

from benchmarks.contenders.contender import Contender, Ground, Run
from benchmarks.measurement import C360, Usage
from c360_graph.text import plural

_SECONDS = re.compile(r"statements in ([\d.]+) s")


class OwnLoader(Contender):
    """The second phase alone; the checks of the pipeline are on. `sessions` is C360_LOAD_SESSIONS."""

    def __init__(self, *, sessions: int | None = None) -> None:
        self._environment = {"C360_LOAD_SESSIONS": str(sessions)} if sessions else {}
        said = f", {plural(sessions, 'session')}" if sessions else ""
        self.title = f"this project's loader on the script{said}"

    def prepare(self, ground: Ground) -> Run:
        """The command as a user types it, without the lock that only pipelines need."""
        return Run(
            command=[*C360, "load", str(ground.script), "--no-lock"],
            environment=ground.target.neo4j.environment() | self._environment,
        )

    def facts(self, ground: Ground, usage: Usage) -> dict[str, float]:
        """The load's own time, without the start of Python."""
        found = _SECONDS.search(usage.output)
        return {"load": float(found.group(1))} if found else {}
