"""Rounds of contenders, in turn on one server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.contenders import CONTENDERS, Contender
from benchmarks.contenders.contender import Ground, newest_script
from benchmarks.dataset import Counts, export
from benchmarks.generator import generate
from benchmarks.measurement import Usage, run
from benchmarks.target import Memory, Target
from c360_graph.errors import SandboxError

_WRITES_SCRIPT = CONTENDERS["pipeline"]
_WARM_UP_EVENTS = 20_000

NUMBERS = (
    "wall",
    "client_cpu",
    "neo4j_cpu",
    "postgres_cpu",
    "peak_mb",
    "tree_mb",
    "node_seconds",
    "relationship_seconds",
)


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One contender, once. `numbers` are those of `NUMBERS`; a missing one could not be seen."""

    contender: str
    events: int
    round: int
    nodes: int
    relationships: int
    numbers: dict[str, float]
    facts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to run. `warm_up`: everybody loads a small set before anything is measured."""

    sizes: tuple[int, ...]
    rounds: int
    seed: int
    contenders: tuple[str, ...]
    once: frozenset[str]
    sample_events: int
    warm_up: bool
    line: str
    memory: Memory
    folder: Path


class Series:
    """Prepares each size once, then lets the contenders take turns."""

    def __init__(self, plan: Plan, target: Target, say: Callable[[str], None]) -> None:
        self._plan, self._target, self._say = plan, target, say
        self._grounds: dict[int, Ground] = {}

    def measure(self) -> Iterator[Measurement]:
        """Each measurement as it is made.

        Raises:
            SandboxError: a contender failed, or left another graph than PostgreSQL counts.
        """
        if self._plan.warm_up:
            self._warm_up()
        for events in self._plan.sizes:
            ground = self._ground(events)
            if CONTENDERS[self._plan.contenders[0]] is not _WRITES_SCRIPT:
                self._run(_WRITES_SCRIPT, ground)
            for number in range(self._plan.rounds):
                for name in _rotated(self._plan.contenders, number):
                    if number and name in self._plan.once:
                        continue
                    yield self._one(name, events, number + 1)

    def _warm_up(self) -> None:
        """Everybody's statements once, since Java compiles what was run often enough."""
        self._say("warming up")
        ground = self._ground(_WARM_UP_EVENTS)
        self._run(_WRITES_SCRIPT, ground)
        for name in self._plan.contenders:
            contender = CONTENDERS[name]
            if contender.online and not contender.sampled and contender is not _WRITES_SCRIPT:
                self._run(contender, ground)

    def _ground(self, events: int) -> Ground:
        """A size's databases and files, made at the first call."""
        if events not in self._grounds:
            self._say(f"{events:,} play events: generating")
            databases = generate(self._target.source_server, events=events, seed=self._plan.seed)
            folder = self._plan.folder / f"work_{events}"
            folder.mkdir()
            self._grounds[events] = Ground(
                dataset=export(databases, self._plan.folder / "imports" / str(events)),
                target=self._target,
                memory=self._plan.memory,
                folder=folder,
                script=folder / "script.cypher",
                line=self._plan.line,
            )
        return self._grounds[events]

    def _one(self, name: str, events: int, number: int) -> Measurement:
        contender = CONTENDERS[name]
        sampled = min(events, self._plan.sample_events) if contender.sampled else events
        ground = self._ground(sampled)
        usage = self._run(contender, ground)
        counts = ground.dataset.counts
        self._say(f"  {events:,} round {number}: {contender.title}: {usage.wall:.1f} s")
        return Measurement(
            contender=name,
            events=sampled,
            round=number,
            nodes=counts.all_nodes,
            relationships=counts.all_relationships,
            numbers=numbers_of(usage),
            facts=contender.facts(ground, usage),
        )

    def _run(self, contender: Contender, ground: Ground) -> Usage:
        self._target.empty()
        prepared = contender.prepare(ground)
        with prepared.around():
            usage = run(
                prepared.command,
                environment=prepared.environment,
                folder=ground.folder,
                target=self._target,
                counts=ground.dataset.counts,
            )
            check_counts(contender.title, contender.counts(ground, usage), ground.dataset.counts)
        # The first is kept: once a second load has changed the sources, others are written.
        if contender is _WRITES_SCRIPT and not ground.script.exists():
            newest_script(ground.folder / "data").rename(ground.script)
        return usage


def check_counts(title: str, found: Counts, wanted: Counts) -> None:
    """Hold a graph against what PostgreSQL counts.

    Raises:
        SandboxError: they differ.
    """
    if found != wanted:
        raise SandboxError(f"{title} left {found}, wanted was {wanted}")


def numbers_of(usage: Usage) -> dict[str, float]:
    """The measured numbers that there are."""
    values = {name: getattr(usage, name) for name in NUMBERS}
    return {name: value for name, value in values.items() if value is not None}


def medians(measurements: list[Measurement]) -> list[Measurement]:
    """One measurement for each contender and size; `round` is how many it stands for."""
    groups: dict[tuple[str, int], list[Measurement]] = {}
    for each in measurements:
        groups.setdefault((each.contender, each.events), []).append(each)
    return [
        Measurement(
            contender=name,
            events=events,
            round=len(group),
            nodes=group[0].nodes,
            relationships=group[0].relationships,
            numbers=_medians([each.numbers for each in group]),
            facts=_medians([each.facts for each in group]),
        )
        for (name, events), group in groups.items()
    ]


def _medians(rows: list[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: median(row[name] for row in rows if name in row) for name in names}


def _rotated(names: tuple[str, ...], number: int) -> tuple[str, ...]:
    """Another one begins in each round, so that no place in the order is always the same one's."""
    shift = number % len(names)
    return names[shift:] + names[:shift]
