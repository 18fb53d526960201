"""Brings what was read again into the graph: one transaction for everything that changed together."""

from __future__ import annotations

import io
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

from c360_graph.cypher import following as text
from c360_graph.cypher import schema
from c360_graph.cypher.copy_text import blocks
from c360_graph.cypher.counts_and_deletes import count_relationships
from c360_graph.cypher.relationships import link_rows
from c360_graph.cypher.script_reader import Batch, Statement, lift
from c360_graph.following.relationships import JunctionRows, Pattern, Patterns, ReadLinks
from c360_graph.graph.attempts import Attempts, Work
from c360_graph.graph.connection import Graph
from c360_graph.graph.execution import Execution
from c360_graph.mapping.model import NodeTable, TableMapping, node_tables
from c360_graph.source.key_reads import RowsRead

Pair = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class GraphChanges:
    """What is to be brought into the graph: tables that were emptied, then rows read again."""

    emptied: tuple[TableMapping, ...] = ()
    reads: tuple[RowsRead, ...] = ()


@dataclass(kw_only=True)
class Written:
    """What a transaction changed; nodes that were made and deleted by the table of their rows."""

    nodes_made: Counter[str] = field(default_factory=Counter)
    nodes_updated: int = 0
    nodes_deleted: Counter[str] = field(default_factory=Counter)
    relationships_made: int = 0
    relationships_deleted: int = 0

    def add(self, other: Written) -> None:
        """Count what another transaction changed, too."""
        self.nodes_made.update(other.nodes_made)
        self.nodes_updated += other.nodes_updated
        self.nodes_deleted.update(other.nodes_deleted)
        self.relationships_made += other.relationships_made
        self.relationships_deleted += other.relationships_deleted


class GraphWriter:
    """Writes for one follower, `holder`, as long as no load and no other follower has come."""

    def __init__(
        self,
        graph: Graph,
        patterns: Patterns,
        *,
        holder: str,
        read_links: ReadLinks,
        warn: Callable[[str], None],
        check: Callable[[], None],
    ) -> None:
        self._graph = graph
        self._patterns = patterns
        self._holder = holder
        self._read_links = read_links
        self._attempts = Attempts(graph, warn=warn, check=check)

    def count(self, table: TableMapping) -> int:
        """Nodes that a table feeds, or relationships that go through it.

        Raises:
            GraphError: the server cannot be reached or refuses.
        """
        if isinstance(table, NodeTable):
            return int(self._graph.rows(text.count_nodes_of_table(table))[0]["count"])
        types = {mapping.relationship_type for _, mapping in self._patterns.through(table)}
        return sum(int(self._graph.rows(count_relationships(kind))[0]["count"]) for kind in types)

    def make_indexes(self) -> None:
        """Create the indexes that find what changed nodes join, and wait for them.

        Raises:
            StatementError: the server refused, or kept failing.
        """
        execution = Execution(self._graph, load=self._holder)
        for index in self._patterns.indexes():
            execution.run_repeatable("The indexes of following", schema.create_index(index))
        execution.run_repeatable("The indexes of following", schema.await_indexes(3600))

    def prepare(self, tables: Sequence[TableMapping]) -> None:
        """Have the server plan the statements that changes of these tables need, as far as it takes seconds.

        A plan takes a server that has just started many times what the statement takes, and the first
        changes would wait for it.

        Raises:
            StatementError: the server refused, or kept failing.
        """
        tag = self._tag()
        deadline = time.monotonic() + _PREPARING_SECONDS

        def send() -> None:
            with self._graph.transaction(tag) as transaction:
                for statement, parameters in empty_statements(self._patterns, tables):
                    if time.monotonic() > deadline:
                        return
                    transaction.run(statement, parameters).consume()

        self._attempts.run(Work(title="Planning what following needs", tag=tag, send=send))

    def write(self, changes: GraphChanges, *, follow: str) -> Written | None:
        """Write changes, and `follow` as the follower's mark; None where the graph is not ours now.

        Raises:
            StatementError: the server refused, or kept failing; nothing was changed.
        """
        tag = self._tag()

        def send() -> Written | None:
            with self._graph.transaction(tag) as transaction:
                work = _Writing(transaction, self._patterns, self._read_links)
                if not work.holds(self._holder, follow):
                    return None
                work.write(changes)
                transaction.commit()
            return work.written

        return self._attempts.run(Work(title="Following the sources", tag=tag, send=send))

    def _tag(self) -> dict[str, str]:
        return {"c360_load": self._holder, "c360_work": uuid4().hex}


class _Transaction(Protocol):
    def run(self, query: str, parameters: dict[str, Any]) -> Any: ...


class _Writing:
    """One transaction."""

    def __init__(
        self, transaction: _Transaction, patterns: Patterns, read_links: ReadLinks
    ) -> None:
        self._read_links = read_links
        self._transaction = transaction
        self._patterns = patterns
        self._made: dict[str, list[int]] = defaultdict(list)
        self._moved: dict[str, list[int]] = defaultdict(list)
        self._told: dict[str, list[list[str | None]]] = defaultdict(list)
        self._junction_rows: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._pairs: dict[Pattern, dict[Pair, None]] = defaultdict(dict)
        self.written = Written()

    def holds(self, holder: str, follow: str) -> bool:
        """Whether the graph is ours, to the end of the transaction."""
        records = self._run(text.hold_graph(), holder=holder, follow=follow)
        return bool(records[0]["count"])

    def write(self, changes: GraphChanges) -> None:
        """Nodes first, then relationships: where a node was made, has gone or has another joined value."""
        for table in changes.emptied:
            self._empty(table)
        nodes = [(t, read) for read in changes.reads if isinstance(t := read.table, NodeTable)]
        for table, read in nodes:
            self._note_former_pairs(table, read)
        for table, read in nodes:
            self._delete(table, read)
        for table, read in nodes:
            self._upsert(table, read)
        for label in {**self._made, **self._moved}:
            for pattern in self._patterns.of_label(label):
                self._note_ends(pattern, label)
        for table, _ in nodes:
            self._note_junction_rows(table)
        links = list(self._links(changes))
        for pattern, pairs in self._pairs.items():
            self._make_anew(pattern, list(pairs))
        for one in links:
            for block in _blocks(tuple(one.rows)):
                self._run_batch(link_rows(one.mapping, one.table, block))

    def _links(self, changes: GraphChanges) -> Iterator[JunctionRows]:
        """Rows of junctions without a label, and note the pairs that they join: these are made anew."""
        reads = {read.table.asset_key: read for read in changes.reads}
        for table, pattern, mapping in self._patterns.links():
            links = JunctionRows(mapping=mapping, table=table)
            read = reads.get(table.asset_key)
            if read is not None:
                links.read_changed(read, self._read_links)
            for end in mapping.sought:
                for changed in self._patterns.at(end):
                    names = self._patterns.told(changed)
                    indexes = [names.index(column) for column, _ in end.pairs]
                    told = [
                        [texts[p] for p in indexes] for texts in self._told[changed.qualified_name]
                    ]
                    links.read_of_end(end, told, self._read_links)
            for block in _blocks(tuple(links.rows)):
                self._note(pattern, self._run_batch(text.pairs_of_links(mapping, table, block)))
            keyed = text.with_key_alone(table)
            for block in _blocks(links.gone):
                self._note(pattern, self._run_batch(text.pairs_of_links(mapping, keyed, block)))
            yield links

    def _empty(self, table: TableMapping) -> None:
        if not isinstance(table, NodeTable):
            for _, mapping in self._patterns.through(table):
                self._run(text.delete_of_pattern(mapping))
            return
        # What went through the table's nodes is found by what it joins, before they go.
        for pattern, mapping in self._patterns.through(table):
            ids = [record["id"] for record in self._run(text.ids_of_table(table))]
            statement = text.pairs_of_junction_ids(mapping, table.node_label)
            self._note(pattern, self._run(statement, ids=ids))
        count = self._run(text.delete_nodes_of_table(table))[0]["count"]
        self.written.nodes_deleted[table.qualified_name] += count

    def _note_former_pairs(self, table: NodeTable, read: RowsRead) -> None:
        """What the rows of a junction table join by the values that the graph has of them."""
        through = self._patterns.through(table)
        if not through:
            return
        keys = (*key_lines(read), *read.gone)
        for pattern, mapping in through:
            for block in _blocks(keys):
                statement = text.pairs_of_junction_keys(mapping, table, block)
                self._note(pattern, self._run_batch(statement))

    def _delete(self, table: NodeTable, read: RowsRead) -> None:
        for block in _blocks(read.gone):
            count = self._run_batch(text.delete_keys(table, block))[0]["count"]
            self.written.nodes_deleted[table.qualified_name] += count

    def _upsert(self, table: NodeTable, read: RowsRead) -> None:
        joined, told = self._patterns.joined(table), self._patterns.told(table)
        for block in _blocks(read.rows):
            statement = text.upsert_nodes(table, block, joined=joined, told=told)
            (record,) = self._run_batch(statement)
            self.written.nodes_made[table.qualified_name] += len(record["made"])
            self.written.nodes_updated += record["updated"]
            self._made[table.node_label] += record["made"]
            self._moved[table.node_label] += record["moved"]
            self._told[table.qualified_name] += record["told"]
            if self._patterns.through(table):
                self._junction_rows[table.asset_key] += [*record["made"], *record["moved"]]

    def _note_ends(self, pattern: Pattern, label: str) -> None:
        """Bring the relationships of changed nodes along, or note the pairs whose are made anew."""
        made, moved = self._made[label], self._moved[label]
        for mapping, end in pattern.ends_of(label):
            if pattern.is_single:
                if moved:
                    self._run(text.delete_stale_of_ids(mapping, end), ids=moved)
                if made or moved:
                    self._run(text.create_missing_of_ids(mapping, end), ids=[*made, *moved])
                if moved and mapping.properties and end == mapping.driving:
                    self._run(text.update_of_ids(mapping, end), ids=moved)
                continue
            if moved:
                self._note(pattern, self._run(text.pairs_joined_now(mapping, end), ids=moved))
            if (made or moved) and not pattern.has_rows_without_label:
                found = self._run(text.pairs_of_end_ids(mapping, end), ids=[*made, *moved])
                self._note(pattern, found)

    def _note_junction_rows(self, table: NodeTable) -> None:
        ids = self._junction_rows.get(table.asset_key)
        if not ids:
            return
        for pattern, mapping in self._patterns.through(table):
            statement = text.pairs_of_junction_ids(mapping, table.node_label)
            self._note(pattern, self._run(statement, ids=ids))

    def _make_anew(self, pattern: Pattern, pairs: list[Pair]) -> None:
        for start in range(0, len(pairs), _PAIRS_IN_STATEMENT):
            part = [list(pair) for pair in pairs[start : start + _PAIRS_IN_STATEMENT]]
            self._run(text.delete_of_pairs(pattern.mappings[0]), pairs=part)
            for mapping in () if pattern.has_rows_without_label else pattern.mappings:
                self._run(text.create_of_pairs(mapping), pairs=part)

    def _note(self, pattern: Pattern, found: Iterable[dict[str, Any]]) -> None:
        self._pairs[pattern].update(((record["a"], record["b"]), None) for record in found)

    def _run_batch(self, statement: bytes) -> list[dict[str, Any]]:
        batch = _lifted(statement)
        return self._run(batch.text, rows=batch.rows)

    def _run(self, statement: bytes | str, **parameters: Any) -> list[dict[str, Any]]:
        said = statement.decode() if isinstance(statement, bytes) else statement
        result = self._transaction.run(said, parameters)
        records = [record.data() for record in result]
        counters = result.consume().counters
        self.written.relationships_made += counters.relationships_created
        self.written.relationships_deleted += counters.relationships_deleted
        return records


_PAIRS_IN_STATEMENT = 5_000
_PREPARING_SECONDS = 5.0


def empty_statements(
    patterns: Patterns, tables: Iterable[TableMapping]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The statements that bring changes of these tables into the graph, and parameters without any change."""
    labelled = node_tables(tables)
    for table in labelled:
        row = b"\t".join([b"\\N"] * len(table.properties))
        joined, told = patterns.joined(table), patterns.told(table)
        yield _lifted(text.upsert_nodes(table, row, joined=joined, told=told)).text, {"rows": None}
        key = b"\t".join([b"\\N"] * len(table.key))
        yield _lifted(text.delete_keys(table, key)).text, {"rows": None}
    for label in dict.fromkeys(table.node_label for table in labelled):
        for pattern in patterns.of_label(label):
            for mapping, end in pattern.ends_of(label):
                if pattern.is_single:
                    yield text.delete_stale_of_ids(mapping, end), {"ids": []}
                    yield text.create_missing_of_ids(mapping, end), {"ids": []}
                else:
                    yield text.pairs_joined_now(mapping, end), {"ids": []}


def _lifted(statement: bytes) -> Batch:
    batch = lift(Statement(number=1, text=statement))
    assert batch is not None
    return batch


def _blocks(lines: tuple[bytes, ...]) -> Iterator[bytes]:
    if lines:
        for _, block in blocks(io.BytesIO(b"\n".join(lines) + b"\n")):
            yield block


def key_lines(read: RowsRead) -> tuple[bytes, ...]:
    """The keys of whole rows, as lines of the key's columns."""
    indexes = {prop.column: index for index, prop in enumerate(read.table.properties)}
    chosen = [indexes[column] for column in read.table.key]
    lines = (line.split(b"\t") for line in read.rows)
    return tuple(b"\t".join(values[index] for index in chosen) for values in lines)
