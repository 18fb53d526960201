"""Loads a script: constraints, node batches side by side, then indexes and relationships in order."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Literal

from c360_graph.cypher import counts_and_deletes
from c360_graph.cypher.general_statements import (
    SCAN_OF_ALL,
    create_any_relationships,
    fingerprint_statement,
)
from c360_graph.cypher.schema import constraint_name, index_name
from c360_graph.cypher.script_reader import (
    Statement,
    generalised,
    read_header,
    read_statements,
)
from c360_graph.cypher.script_writer import (
    ConstraintFacts,
    IndexFacts,
    LinksFacts,
    ManifestFacts,
    NodesFacts,
    RelationshipsFacts,
    ScriptHeader,
)
from c360_graph.cypher.weights import FEW_ROWS
from c360_graph.errors import (
    GraphNotEmptyError,
    StatementError,
)
from c360_graph.graph.connection import Graph
from c360_graph.graph.counts import check_counts, check_made, count_graph, graph_counts
from c360_graph.graph.emptying import empty_graph
from c360_graph.graph.execution import Execution
from c360_graph.graph.load_session import (
    LoadCallbacks,
    refuse_losing_tables,
    said_of_left_out,
    under_way,
)
from c360_graph.graph.manifest import (
    count_between,
    mark_begun,
    mark_whole,
    read_state,
    remove_begun,
)
from c360_graph.graph.progress import ProgressMeter
from c360_graph.graph.schema_sync import refuse_blocked
from c360_graph.graph.script_contents import (
    batch_of,
    check_readable,
    constrained,
    indexed,
    joined_labels,
    joining,
    statements_before,
)
from c360_graph.graph.sessions import SessionSharing, apart, side_by_side
from c360_graph.graph.target_lock import Claim
from c360_graph.object_storage import KeptFile
from c360_graph.scripts import open_script

__all__ = [
    "LoadCallbacks",
    "LoadResult",
    "clear_and_load",
    "graph_counts",
    "holds_nothing",
    "load_into_empty",
]


SMALL_BATCH_BYTES = 20_000
"""Larger batches of relationships run alone: several are held in memory while they wait for each other."""
Beside = Literal["nodes", "constraint", "index", "relationships"]


@dataclass(frozen=True, kw_only=True)
class LoadResult:
    """What a load did and what the graph holds after it."""

    statements: int
    rows: int
    seconds: float
    nodes: dict[str, int] = field(default_factory=dict)
    relationships: dict[str, int] = field(default_factory=dict)


def clear_and_load(
    graph: Graph,
    script: KeptFile,
    *,
    sessions: int = 2,
    listener: LoadCallbacks | None = None,
    claim: Claim | None = None,
) -> LoadResult:
    """Empty the graph in bounded batches, then load.

    Raises:
        ScriptError: the script cannot be read; checked before anything is removed.
        LoadLockedError: another load of the target was under way all the time.
        GraphOwnedError: the graph is another control database's; nothing was changed.
        GraphError: the graph has what the script leaves out; nothing was changed.
        StatementError: a statement failed; says which and how far the load came.
        CountMismatchError: the graph holds other counts than the script's rows make.
    """
    with _load(graph, script, sessions, listener or LoadCallbacks(), claim or Claim()) as load:
        load.refuse_losing_tables()
        load.refuse_blocked()
        mark_begun(load.execution)
        empty_graph(load.execution, load.meter, kept=load.schema_to_keep())
        return load.run()


def load_into_empty(
    graph: Graph,
    script: KeptFile,
    *,
    sessions: int = 2,
    listener: LoadCallbacks | None = None,
    claim: Claim | None = None,
) -> LoadResult:
    """Load into a graph that holds nothing.

    Raises:
        GraphNotEmptyError: it holds something; nothing was changed.
        ScriptError, LoadLockedError, GraphOwnedError, StatementError, CountMismatchError: as
            `clear_and_load`.
    """
    with _load(graph, script, sessions, listener or LoadCallbacks(), claim or Claim()) as load:
        load.refuse_unless_empty()
        load.refuse_blocked()
        mark_begun(load.execution)
        return load.run()


def holds_nothing(graph: Graph) -> bool:
    """Whether a graph is empty, and no load of ours has begun in it.

    Raises:
        StatementError: the server refuses.
    """
    execution = Execution(graph)
    return read_state(execution) is None and not _count_nodes(execution)


def _count_nodes(execution: Execution) -> int:
    """Nodes that are not the loader's own."""
    return int(
        execution.ask("Counting nodes", counts_and_deletes.count_nodes_but_own())[0]["count"]
    )


class _Load:
    """A load under way."""

    def __init__(
        self,
        execution: Execution,
        script: KeptFile,
        *,
        header: ScriptHeader | None,
        sessions: int,
        meter: ProgressMeter,
    ) -> None:
        self.execution = execution
        self.meter = meter
        self._graph = execution.graph
        self._script = script
        self._header = header
        self._sessions = sessions
        self._begin = time.monotonic()
        self._statements = self._rows = self._nodes = 0
        self._phase = ""
        self._sharing = SessionSharing(execution.graph, most=sessions)
        self._finds_labels: bool | None = None
        """Whether the server finds the nodes of a label that is a parameter without reading all nodes."""
        self._made: dict[str, int | None] = {}
        """Relationships of each type that statements made; None where an answer was lost."""
        self._vouched_for = True
        """Whether the pipeline wrote all statements: nobody knows what others make."""
        self._counts: tuple[dict[str, int], dict[str, int]] | None = None

    def refuse_unless_empty(self) -> None:
        existing = _count_nodes(self.execution)
        if existing:
            raise GraphNotEmptyError(
                f"{self._graph.server} holds {existing:,} nodes, and a script is only for an empty graph."
                " Clear it by clear_database: true (c360 load --clear), or load into another database."
            )

    def refuse_blocked(self) -> None:
        """Before anything is removed: see `schema_sync.refuse_blocked`."""
        refuse_blocked(
            self.execution,
            keys=constrained(self._script),
            indexes=lambda: indexed(self._script),
        )

    def schema_to_keep(self) -> set[str]:
        """Names of constraints and indexes that the script makes, if it has few rows for each; else none.

        After any change of the schema the server plans every statement anew, which takes longer than
        loading few rows. With many rows it takes less time to fill an index at once after them.
        """
        if self._header is None:
            return set()
        names = {
            *map(constraint_name, constrained(self._script)),
            *map(index_name, indexed(self._script)),
        }
        return names if self._header.rows <= FEW_ROWS * len(names) else set()

    def refuse_losing_tables(self) -> None:
        state = read_state(self.execution)
        if self._header is not None and state is not None:
            refuse_losing_tables(self._header, state.manifest)

    def run(self) -> LoadResult:
        with open_script(self._script) as file:
            header = read_header(file)
            try:
                self._run_statements(read_statements(file), nodes=_nodes_of(header))
                self.execution.remove_marks()
                return self._result(header)
            except StatementError as error:
                raise StatementError(f"{error} {self._how_far(header)}") from None

    def _run_statements(self, statements: Iterator[Statement], *, nodes: int | None) -> None:
        for kind, group in groupby(statements, key=self._runs_beside_others):
            match kind:
                case None:
                    for statement in group:
                        self._run_alone(statement)
                case "nodes":
                    self._enter(kind, unit="rows", total=nodes)
                    for rows in side_by_side(self._run_batch, group, threads=self._sessions):
                        self._count(rows)
                        self._nodes += rows
                case "relationships":
                    self._enter(kind, unit="statements", total=None)
                    for statement, made in apart(
                        self._run_small, group, touched=joined_labels, threads=self._sessions
                    ):
                        self._note(joining(statement).type, made)
                        self._count(statement.rows)
                case _:
                    self._enter(kind, unit="statements", total=None)
                    for _ in side_by_side(self._run_repeatable, group, threads=self._sessions):
                        self._count(0)

    def _runs_beside_others(self, statement: Statement) -> Beside | None:
        """What a statement makes that several sessions may make side by side."""
        # Batches of one script create disjoint keys and never wait for each other's locks for long; a
        # junction's links do, at nodes that both touch.
        match statement.facts:
            case NodesFacts() | ConstraintFacts() | IndexFacts() as facts:
                return facts.kind
            case RelationshipsFacts() as facts if self._runs_generally(statement, facts):
                return "relationships"
            case LinksFacts() if len(statement.text) <= SMALL_BATCH_BYTES:
                return "relationships"
        return None

    def _run_small(self, statement: Statement) -> tuple[Statement, int | None]:
        facts = statement.facts
        if isinstance(facts, LinksFacts):
            return statement, self.execution.run_batch(statement, batch_of(statement))
        assert isinstance(facts, RelationshipsFacts)
        return statement, self.execution.run_relationships(
            statement,
            facts,
            earlier=lambda: statements_before(self._script, statement, facts),
            generally=True,
        )

    def _run_repeatable(self, statement: Statement) -> None:
        self.execution.run_repeatable(statement.title, statement.text)

    def _run_batch(self, statement: Statement) -> int:
        batch = generalised(batch_of(statement), statement.facts)
        self.execution.run_batch(statement, batch)
        return statement.rows

    def _run_alone(self, statement: Statement) -> None:
        match statement.facts:
            case None:
                # Nobody vouches for it, so it is no batch, whatever it looks like.
                self._vouched_for, self._counts = False, None
                self._enter("statements", unit="statements", total=None)
                self.execution.run_once(statement)
            case LinksFacts() as facts:
                self._enter(facts.type, unit="rows", total=None)
                self._note(facts.type, self.execution.run_batch(statement, batch_of(statement)))
            case RelationshipsFacts() as facts:
                self._note(facts.type, self._run_relationships(statement, facts))
            case facts:
                if isinstance(facts, ManifestFacts) and self._statements:
                    # The one at the end says that the graph is whole.
                    self._counted()
                self._enter(facts.kind, unit="statements", total=None)
                self._run_repeatable(statement)
        self._count(statement.rows)

    def _run_relationships(self, statement: Statement, facts: RelationshipsFacts) -> int:
        # The rows that find no partner make none, and a join may make several for one row: the total
        # is what a join on a key with no orphans makes.
        driving = self._header.labels.get(facts.driving) if self._header is not None else None
        before = self._made.get(facts.type) or 0
        count = counts_and_deletes.count_relationships(facts.type)
        self._phase = facts.type
        self.meter.begin(
            facts.type,
            unit="relationships",
            total=driving,
            poll=lambda: int(self._graph.rows(count)[0]["count"]) - before,
        )
        return self.execution.run_relationships(
            statement,
            facts,
            earlier=lambda: statements_before(self._script, statement, facts),
            sessions=self._sharing.sessions(driving or 0),
        )

    def _runs_generally(self, statement: Statement, facts: RelationshipsFacts) -> bool:
        """Whether the statement of all small tables may make the relationships."""
        if facts.general is None:
            return False
        if facts.general.of != fingerprint_statement(statement.text.decode()):
            # Somebody changed it in the script.
            return False
        if self._finds_labels is None:
            plan = self._graph.operators(create_any_relationships(facts.general))
            self._finds_labels = SCAN_OF_ALL not in plan
        return self._finds_labels

    def _note(self, kind: str, made: int | None) -> None:
        before = self._made.get(kind, 0)
        self._made[kind] = None if made is None or before is None else before + made

    def _enter(self, phase: str, *, unit: str, total: int | None) -> None:
        if phase != self._phase:
            self._phase = phase
            self.meter.begin(phase, unit=unit, total=total)

    def _count(self, rows: int) -> None:
        self._statements += 1
        self._rows += rows
        self.meter.add(rows or 1)

    def _how_far(self, header: ScriptHeader | None) -> str:
        nodes = _nodes_of(header)
        of = f" of {nodes:,}" if nodes is not None else ""
        return (
            f"The load came to {self._statements:,} statements and {self._nodes:,}{of} nodes; the graph"
            " is incomplete. Mend the cause and load again with clear_database."
        )

    def _result(self, header: ScriptHeader | None) -> LoadResult:
        nodes, relationships = self._counted()
        if header is not None:
            self._count_manifest(nodes, relationships)
        else:
            remove_begun(self.execution)
        return LoadResult(
            statements=self._statements,
            rows=self._rows,
            seconds=time.monotonic() - self._begin,
            nodes=nodes,
            relationships=relationships,
        )

    def _counted(self) -> tuple[dict[str, int], dict[str, int]]:
        """Nodes and relationships of the graph, counted and held against the script once."""
        if self._counts is None:
            self._counts = count_graph(lambda text: self.execution.ask("Counting", text))
            nodes, relationships = self._counts
            if self._header is not None:
                check_counts(nodes, self._header.labels)
            if self._vouched_for:
                known = {kind: made for kind, made in self._made.items() if made is not None}
                check_made(relationships, known)
        return self._counts

    def _count_manifest(self, nodes: dict[str, int], relationships: dict[str, int]) -> None:
        """A script cannot know how many relationships it will make, but the next load wants to."""
        known = read_state(self.execution)
        if known is not None and known.is_whole:
            between = count_between(self.execution, known.manifest.edges)
            counted = known.manifest.with_counts(
                nodes=nodes, relationships=relationships, between=between
            )
            mark_whole(self.execution, counted)


@contextmanager
def _load(
    graph: Graph, script: KeptFile, sessions: int, listener: LoadCallbacks, claim: Claim
) -> Iterator[_Load]:
    header = check_readable(script)
    if header is not None and header.owner is not None and claim.owner is None:
        claim = replace(claim, owner=header.owner)
    left_out = said_of_left_out(header) if header is not None else None
    if left_out:
        listener.warn(left_out)
    with under_way(graph, listener, claim, may_vanish=header is None) as (execution, meter):
        yield _Load(execution, script, header=header, sessions=sessions, meter=meter)


def _nodes_of(header: ScriptHeader | None) -> int | None:
    """How many nodes a whole load makes; its rows are more, where a junction is no label."""
    return sum(header.labels.values()) if header else None
