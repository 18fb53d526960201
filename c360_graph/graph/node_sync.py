"""Brings the nodes of one label to the state of the extracts that feed it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from c360_graph.cypher import counts_and_deletes, holding, merges
from c360_graph.cypher.copy_text import blocks
from c360_graph.cypher.rows import create_nodes
from c360_graph.cypher.script_reader import Statement, lifted
from c360_graph.cypher.script_writer import NodeExtract, NodesFacts
from c360_graph.cypher.weights import DELETE_BATCH_ROWS
from c360_graph.errors import GraphError
from c360_graph.graph.batching import Batching
from c360_graph.graph.desired import RowChanges
from c360_graph.graph.execution import Execution, in_parts
from c360_graph.graph.progress import ProgressMeter
from c360_graph.graph.sessions import side_by_side
from c360_graph.mapping.model import NodeTable


class NodeIds:
    """Ids of a label's nodes; five million take less than a megabyte."""

    def __init__(self) -> None:
        self._bits = bytearray()

    def add(self, ids: Iterable[int]) -> None:
        """Add ids; those that are in already change nothing."""
        for number in ids:
            index, bit = number >> 3, 1 << (number & 7)
            if index >= len(self._bits):
                self._bits.extend(bytes(max(index + 1 - len(self._bits), len(self._bits))))
            self._bits[index] |= bit

    def __len__(self) -> int:
        return int.from_bytes(self._bits, "little").bit_count()

    def __contains__(self, number: int) -> bool:
        index = number >> 3
        return index < len(self._bits) and bool(self._bits[index] & (1 << (number & 7)))


IDS_IN_STATEMENT = 5_000


@dataclass(frozen=True, kw_only=True)
class NodeChanges:
    """What happened to the nodes of a label."""

    created: int = 0
    updated: int = 0
    deleted: int = 0


class NodeSync:
    """Works on one label after the other."""

    def __init__(
        self,
        execution: Execution,
        meter: ProgressMeter,
        *,
        sessions: int,
        max_removed_share: float,
    ) -> None:
        self._execution = execution
        self._meter = meter
        self._sessions = sessions
        self._share = max_removed_share
        self._batching = Batching(execution)

    def count(self, label: str) -> int:
        """Nodes of a label."""
        rows = self._execution.ask(f"Counting {label}", counts_and_deletes.count_nodes(label))
        return int(rows[0]["count"])

    def count_holders(self, label: str, name: str) -> int:
        """Nodes of a label that have a property."""
        rows = self._execution.ask(f"Counting {label}", holding.count_holders(label, name))
        return int(rows[0]["count"])

    def refuse_loss(self, label: str, *, existing: int, removed: int) -> None:
        """Refuse to remove more than the share allowed.

        Raises:
            GraphError: says how many it would have been.
        """
        if existing and removed > self._share * existing:
            raise GraphError(
                f"Label {label}: {removed:,} of {existing:,} nodes are not in the sources any more, more"
                f" than max_removed_share ({self._share:.0%}) allows. None was removed. If that is"
                " right, load again with max_removed_share: 1.0."
            )

    def count_matched(self, label: str, extracts: Sequence[NodeExtract]) -> int:
        """Nodes of a label that a row has the key of; none for tables without key.

        Raises:
            StatementError: a statement kept failing.
        """
        keyed = [extract for extract in extracts if extract.table.key]
        found = NodeIds()
        for statement in _finds(label, keyed):
            found.add(self._found(statement))
        return len(found)

    def merge(self, label: str, extracts: Sequence[NodeExtract]) -> NodeChanges:
        """Make missing nodes, change those that differ, then remove those of no row.

        Raises:
            StatementError: a statement kept failing.
            GraphError: more would be removed than is allowed.
        """
        existing = self.count(label)
        seen = NodeIds()
        changes = self._merge_rows(label, extracts, seen)
        stale = self._execution.ask_numbers(
            f"Reading ids of {label}",
            merges.node_ids(label),
            keep=lambda number: number not in seen,
        )
        self.refuse_loss(label, existing=existing, removed=len(stale))
        self.delete(label, stale)
        return replace(changes, deleted=len(stale))

    def change(self, label: str, changes: Sequence[RowChanges]) -> NodeChanges:
        """Send only what changed, where the graph is known to hold what was extracted before.

        Raises:
            StatementError: a statement kept failing.
            GraphError: more would be removed than is allowed; nothing was changed.
        """
        deleted = sum(change.deleted.rows for change in changes)
        self.refuse_loss(label, existing=self.count(label), removed=deleted)
        seen = NodeIds()
        made = self._merge_rows(label, [change.upserted for change in changes], seen)
        # A key whose text is another may be the same value, as -0.0 and 0.0: its node is the new row's.
        stale = [
            number
            for statement in _finds(label, [change.deleted for change in changes])
            for number in self._found(statement)
            if number not in seen
        ]
        self.delete(label, stale)
        return replace(made, deleted=len(stale))

    def replace(
        self, label: str, extracts: Sequence[NodeExtract], *, old_first: bool
    ) -> NodeChanges:
        """Make all nodes anew. Nodes without key can be made before the old ones are removed.

        Raises:
            StatementError: a statement kept failing.
            GraphError: more would be removed than is allowed.
        """
        old = self._ids(label)
        rows = sum(extract.rows for extract in extracts)
        self.refuse_loss(label, existing=len(old), removed=len(old) - rows)
        if old_first:
            self.delete(label, old)
        self._meter.begin(label, unit="rows", total=rows)

        def create(statement: Statement) -> int:
            self._execution.run_batch(statement, lifted(statement))
            return statement.rows

        for made in side_by_side(create, _creates(label, extracts), threads=self._sessions):
            self._meter.add(made)
        if not old_first:
            self.delete(label, old)
        return NodeChanges(created=rows, deleted=len(old))

    def delete(self, label: str, ids: Sequence[int]) -> None:
        """Remove nodes, relationships first, in transactions of bounded size."""
        self._meter.begin(f"removing {label}", unit="nodes", total=len(ids))
        title = f"Removing nodes of {label}"
        nodes_a_batch = self._batching.nodes(label) if ids else 0
        for start in range(0, len(ids), IDS_IN_STATEMENT):
            part = list(ids[start : start + IDS_IN_STATEMENT])
            for text in merges.delete_relationships_of_ids(label):
                self._execution.run_in_batches(title, text, batch_rows=DELETE_BATCH_ROWS, ids=part)
            self._execution.run_in_batches(
                title, merges.delete_ids(label), batch_rows=nodes_a_batch, ids=part
            )
            self._meter.add(len(part))

    def _merge_rows(
        self, label: str, extracts: Sequence[NodeExtract], seen: NodeIds
    ) -> NodeChanges:
        """Make what is missing, change what differs; the ids of all these nodes are added to `seen`."""
        created = updated = 0
        self._meter.begin(label, unit="rows", total=sum(extract.rows for extract in extracts))

        def merge(statement: Statement) -> tuple[list[int], int, int, int]:
            answers = in_parts(
                lifted(statement),
                lambda part: self._execution.change(statement.title, part.text, rows=part.rows),
            )
            return (
                [number for records, _ in answers for number in records[0]["ids"]],
                sum(records[0]["updated"] for records, _ in answers),
                sum(counted.nodes_created for _, counted in answers),
                statement.rows,
            )

        for ids, changed, made, rows in side_by_side(
            merge, _merges(label, extracts), threads=self._sessions
        ):
            seen.add(ids)
            updated += changed
            created += made
            self._meter.add(rows)
        return NodeChanges(created=created, updated=updated)

    def _found(self, statement: Statement) -> list[int]:
        answers = in_parts(
            lifted(statement),
            lambda part: self._execution.ask(statement.title, part.text, rows=part.rows),
        )
        return [record["id"] for records in answers for record in records]

    def _ids(self, label: str) -> Sequence[int]:
        return self._execution.ask_numbers(f"Reading ids of {label}", merges.node_ids(label))


def _merges(label: str, extracts: Sequence[NodeExtract]) -> Iterator[Statement]:
    return _batches(label, extracts, merges.merge_nodes)


def _finds(label: str, extracts: Sequence[NodeExtract]) -> Iterator[Statement]:
    return _batches(label, extracts, merges.find_nodes)


def _batches(
    label: str,
    extracts: Sequence[NodeExtract],
    statement: Callable[[NodeTable, bytes], bytes],
) -> Iterator[Statement]:
    numbers = count(1)
    for extract in extracts:
        with extract.open() as file:
            for rows, block in blocks(file):
                yield Statement(
                    number=next(numbers),
                    text=statement(extract.table, block),
                    facts=_facts(label, extract, rows),
                )


def _creates(label: str, extracts: Sequence[NodeExtract]) -> Iterator[Statement]:
    numbers = count(1)
    for extract in extracts:
        with extract.open() as file:
            for rows, block in blocks(file):
                batch = create_nodes(extract.table, block)
                facts = _facts(label, extract, rows, match=batch.match)
                yield Statement(number=next(numbers), text=batch.text, facts=facts)


def _facts(label: str, extract: NodeExtract, rows: int, *, match: str | None = None) -> NodesFacts:
    table = extract.table.qualified_name
    return NodesFacts(table=table, label=label, rows=rows, match=match)
