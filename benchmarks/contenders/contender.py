"""What a benchmark asks of every contender."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from neo4j import Driver, GraphDatabase

from benchmarks.dataset import Counts, Dataset
from benchmarks.measurement import Usage
from benchmarks.target import Memory, Target
from c360_graph.errors import SandboxError


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a contender works on.

    `script` is this project's script of the dataset, which a sampled one does not get.
    """

    dataset: Dataset
    target: Target
    memory: Memory
    folder: Path
    script: Path
    line: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """A command to measure. `around` is entered before it and left after it, unmeasured."""

    command: list[str]
    environment: dict[str, str] = field(default_factory=dict, repr=False)
    around: Callable[[], AbstractContextManager[object]] = nullcontext


class Contender:
    """One way to load. `title` names it in a report; a `sampled` one gets a small set of rows."""

    title: str
    sampled = False
    online = True

    def prepare(self, ground: Ground) -> Run:
        """Whatever has to lie ready, unmeasured, and the command that is measured."""
        raise NotImplementedError

    def counts(self, ground: Ground, usage: Usage) -> Counts:
        """What the target holds after it."""
        return ground.target.counts()

    def facts(self, ground: Ground, usage: Usage) -> dict[str, float]:
        """What it says of itself, in seconds."""
        return {}


def module_run(ground: Ground, module: str, *arguments: str) -> Run:
    """A contender that is a module of this package, on the target's Neo4j."""
    repository = str(Path(__file__).resolve().parents[2])
    return Run(
        command=[sys.executable, "-m", module, *arguments],
        environment=ground.target.neo4j.environment() | {"PYTHONPATH": repository},
    )


@contextmanager
def connected() -> Iterator[Driver]:
    """The driver that the environment names."""
    with GraphDatabase.driver(
        os.environ["NEO4J_URI"],
        auth=(os.environ["NEO4J_USERNAME"], os.environ["NEO4J_PASSWORD"]),
        notifications_min_severity="OFF",
    ) as driver:
        yield driver


def newest_script(folder: Path) -> Path:
    """The script that the pipeline wrote last under a data folder.

    Raises:
        SandboxError: there is none.
    """
    scripts = sorted((folder / "scripts").glob("*.cypher"))
    if not scripts:
        raise SandboxError(f"No script lies in {folder}; the pipeline has to run first.")
    return scripts[-1]
