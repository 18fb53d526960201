"""Loads a script: constraints, node batches side by side, then indexes and relationships in order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from c360_graph.cypher import cleanup
from c360_graph.cypher.script import ScriptHeader
from c360_graph.cypher.statements import Batch, Statement, lift, read_header, read_statements
from c360_graph.errors import (
    CountMismatchError,
    GraphNotEmptyError,
    ScriptError,
    StatementError,
)
from c360_graph.neo4j_loader.emptying import empty_graph
from c360_graph.neo4j_loader.execution import Execution
from c360_graph.neo4j_loader.graph import Graph
from c360_graph.neo4j_loader.progress import Progress, ProgressMeter, reporting

_REPEATABLE = ("constraint", "index", "await")


@dataclass(frozen=True, kw_only=True)
class Listener:
    """Who is told of a load. `check` may raise to stop it between two statements."""

    report: Callable[[Progress], None] = lambda progress: None
    warn: Callable[[str], None] = lambda message: None
    check: Callable[[], None] = lambda: None


@dataclass(frozen=True, kw_only=True)
class LoadResult:
    """What a load did and what the graph holds after it."""

    statements: int
    rows: int
    seconds: float
    nodes: dict[str, int] = field(default_factory=dict)
    relationships: dict[str, int] = field(default_factory=dict)


def clear_and_load(
    graph: Graph, script: Path, *, sessions: int = 2, listener: Listener | None = None
) -> LoadResult:
    """Empty the graph in bounded batches, then load.

    Raises:
        ScriptError: the script cannot be read; checked before anything is removed.
        StatementError: a statement failed; says which and how far the load came.
        CountMismatchError: a label has other counts than the script's rows.
    """
    listener = listener or Listener()
    _check_readable(script)
    with _load(graph, script, sessions, listener) as load:
        empty_graph(load.execution, load.meter)
        return load.run()


def load_into_empty(
    graph: Graph, script: Path, *, sessions: int = 2, listener: Listener | None = None
) -> LoadResult:
    """Load into a graph that holds nothing.

    Raises:
        GraphNotEmptyError: it holds something; nothing was changed.
        ScriptError, StatementError, CountMismatchError: as `clear_and_load`.
    """
    listener = listener or Listener()
    _check_readable(script)
    there = graph.rows("MATCH (n) RETURN count(n) AS n")[0]["n"]
    if there:
        raise GraphNotEmptyError(
            f"{graph.place} holds {there:,} nodes, and a script is only for an empty graph. Clear it"
            " by clear_database: true (c360 load --clear), or load into another database."
        )
    with _load(graph, script, sessions, listener) as load:
        return load.run()


class _Load:
    """A load under way."""

    def __init__(self, graph: Graph, script: Path, sessions: int, listener: Listener) -> None:
        self.execution = Execution(graph, warn=listener.warn)
        self.meter = ProgressMeter()
        self._graph = graph
        self._script = script
        self._sessions = sessions
        self._listener = listener
        self._begin = time.monotonic()
        self._statements = self._rows = 0
        self._phase = ""

    def run(self) -> LoadResult:
        with self._script.open("rb") as file, ThreadPoolExecutor(self._sessions) as pool:
            header = read_header(file)
            pending: set[Future[int]] = set()
            try:
                for statement in read_statements(file):
                    self._listener.check()
                    batch = lift(statement)
                    if batch is not None and _may_run_beside_others(statement):
                        self._enter("nodes", unit="rows", total=header.rows if header else None)
                        pending = self._room(pending)
                        pending.add(pool.submit(self._run_batch, statement, batch))
                    else:
                        pending = self._room(pending, left=0)
                        self._run_alone(statement, batch)
                self._room(pending, left=0)
            except StatementError as error:
                raise StatementError(f"{error} {self._how_far(header)}") from None
            finally:
                for future in pending:
                    future.cancel()
        self.execution.remove_marks()
        return self._result(header)

    def _room(self, pending: set[Future[int]], left: int | None = None) -> set[Future[int]]:
        """Wait until few enough batches are under way, so that memory stays bounded; raise what failed."""
        most = self._sessions if left is None else left
        while len(pending) > most:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                self._count(future.result())
        return pending

    def _run_batch(self, statement: Statement, batch: Batch) -> int:
        self.execution.run_batch(statement, batch)
        return statement.facts.rows if statement.facts else 0

    def _run_alone(self, statement: Statement, batch: Batch | None) -> None:
        facts = statement.facts
        if batch is not None:
            self._enter(facts.type or "links" if facts else "rows", unit="rows", total=None)
            self._count(self._run_batch(statement, batch))
            return
        if facts is None:
            self.execution.run_once(statement)
        elif facts.kind == "relationships":
            self._begin_relationships(statement)
            self.execution.run_relationships(statement)
        elif facts.kind in _REPEATABLE:
            self._enter(facts.kind, unit="statements", total=None)
            self.execution.run_repeatable(statement)
        else:
            raise ScriptError(
                f"Statement {statement.number} says that it is {facts.kind!r} but has not that shape;"
                " the script was changed by hand. Write it anew."
            )
        self._count(0)

    def _begin_relationships(self, statement: Statement) -> None:
        facts = statement.facts
        assert facts is not None and facts.type is not None and facts.driving is not None
        count = cleanup.count_relationships(facts.type)
        before = self._graph.rows(count)[0]["count"]
        nodes = self._graph.rows(cleanup.count_nodes(facts.driving))[0]["count"]
        self._phase = facts.type
        # The rows that find no partner make none, and a join may make several for one row: the total
        # is what a join on a key with no orphans makes.
        self.meter.begin(
            facts.type,
            unit="relationships",
            total=nodes,
            poll=lambda: int(self._graph.rows(count)[0]["count"]) - before,
        )

    def _enter(self, phase: str, *, unit: str, total: int | None) -> None:
        if phase != self._phase:
            self._phase = phase
            self.meter.begin(phase, unit=unit, total=total)

    def _count(self, rows: int) -> None:
        self._statements += 1
        self._rows += rows
        self.meter.add(rows)

    def _how_far(self, header: ScriptHeader | None) -> str:
        of = f" of {header.rows:,}" if header else ""
        return (
            f"The load came to {self._statements:,} statements and {self._rows:,}{of} rows; the graph"
            " is incomplete. Mend the cause and load again with clear_database."
        )

    def _result(self, header: ScriptHeader | None) -> LoadResult:
        nodes, relationships = graph_counts(self._graph)
        if header is not None:
            _check_counts(nodes, header)
        return LoadResult(
            statements=self._statements,
            rows=self._rows,
            seconds=time.monotonic() - self._begin,
            nodes=nodes,
            relationships=relationships,
        )


def graph_counts(graph: Graph) -> tuple[dict[str, int], dict[str, int]]:
    """Nodes by label and relationships by type, as the count store has them; none that is zero."""
    labels = graph.rows("CALL db.labels() YIELD label RETURN label ORDER BY label")
    types = graph.rows(
        "CALL db.relationshipTypes() YIELD relationshipType AS type RETURN type ORDER BY type"
    )
    nodes = {r["label"]: graph.rows(cleanup.count_nodes(r["label"]))[0]["count"] for r in labels}
    relationships = {
        r["type"]: graph.rows(cleanup.count_relationships(r["type"]))[0]["count"] for r in types
    }
    return (
        {label: count for label, count in nodes.items() if count},
        {kind: count for kind, count in relationships.items() if count},
    )


@contextmanager
def _load(graph: Graph, script: Path, sessions: int, listener: Listener) -> Iterator[_Load]:
    load = _Load(graph, script, sessions, listener)
    with reporting(load.meter, listener.report):
        yield load


def _may_run_beside_others(statement: Statement) -> bool:
    # Batches of one script create disjoint keys and never wait for each other's locks for long; a
    # junction's links do, at nodes that both touch.
    return statement.facts is not None and statement.facts.kind == "nodes"


def _check_readable(script: Path) -> None:
    """Read the whole script once, so that one cut short is refused before the graph is touched."""
    try:
        with script.open("rb") as file:
            read_header(file)
            for _ in read_statements(file):
                pass
    except OSError as error:
        raise ScriptError(f"The script {script} cannot be read: {error.strerror}.") from None


def _check_counts(nodes: dict[str, int], header: ScriptHeader) -> None:
    wrong = [
        f"{label}: {nodes.get(label, 0):,} nodes for {rows:,} rows"
        for label, rows in header.labels.items()
        if nodes.get(label, 0) != rows
    ]
    if wrong:
        raise CountMismatchError(
            f"The graph does not hold what was extracted: {'; '.join(wrong)}. Did something else write"
            " to it? Load again with clear_database."
        )
