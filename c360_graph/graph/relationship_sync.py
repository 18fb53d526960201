"""Brings the relationships of a type between two labels to what the mappings say of the nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, count
from typing import Protocol

from c360_graph.cypher import counts_and_deletes, merges
from c360_graph.cypher.copy_text import blocks
from c360_graph.cypher.relationships import (
    LinkTables,
    create_links,
    create_missing_relationships,
    delete_links,
    share_conditions,
)
from c360_graph.cypher.script_reader import Statement, lifted
from c360_graph.cypher.script_writer import (
    ExtractIndex,
    RelationshipsFacts,
    links_facts,
    relationship_statements,
)
from c360_graph.cypher.weights import DELETE_BATCH_ROWS, JOIN_BATCH_ROWS, join_batch_rows
from c360_graph.graph.batching import Batching
from c360_graph.graph.counts import count_by_pattern
from c360_graph.graph.desired import LinkChanges, RelationshipRows
from c360_graph.graph.execution import Execution
from c360_graph.graph.progress import ProgressMeter
from c360_graph.graph.sessions import SessionSharing
from c360_graph.mapping.graph_manifest import RelationshipPattern
from c360_graph.mapping.model import RelationshipMapping


@dataclass(frozen=True, kw_only=True)
class RelationshipChanges:
    """What happened to the relationships of a type."""

    created: int = 0
    deleted: int = 0


class RelationshipSync:
    """Works on one type between two labels after the other."""

    def __init__(self, execution: Execution, meter: ProgressMeter, *, sessions: int) -> None:
        self._execution = execution
        self._meter = meter
        self._sharing = SessionSharing(execution.graph, most=sessions)

    def count(self, edges: RelationshipPattern) -> int:
        """Relationships of a type between two labels."""
        ask = partial(self._execution.ask, f"Counting {edges[0]}")
        return count_by_pattern(ask, [edges])[edges]

    def count_type(self, kind: str) -> int:
        """Relationships of a type, between whatever labels."""
        text = counts_and_deletes.count_relationships(kind)
        return int(self._execution.ask(f"Counting {kind}", text)[0]["count"])

    def adjust(self, mapping: RelationshipMapping, extracts: ExtractIndex) -> RelationshipChanges:
        """For one mapping without junction: remove what joins no more and copies, change properties, make what is
        missing."""
        kind = mapping.relationship_type
        self._meter.begin(kind, unit="relationships", total=None)
        batch_rows = join_batch_rows(len(mapping.properties))
        run = partial(self._run_in_shares, mapping, extracts)
        removed = run(
            f"Removing stale {kind}",
            merges.delete_stale_relationships,
            batch_rows=DELETE_BATCH_ROWS,
        )
        surplus = self._execution.run_in_batches(
            f"Removing surplus {kind}",
            merges.delete_surplus_relationships(mapping),
            batch_rows=JOIN_BATCH_ROWS,
        )
        if mapping.properties:
            run(f"Updating {kind}", merges.update_relationships, batch_rows=batch_rows)
        made = run(f"Making missing {kind}", create_missing_relationships, batch_rows=batch_rows)
        return RelationshipChanges(created=made, deleted=removed + surplus.relationships_deleted)

    def _run_in_shares(
        self,
        mapping: RelationshipMapping,
        extracts: ExtractIndex,
        title: str,
        build: _WithShare,
        *,
        batch_rows: int,
    ) -> int:
        """Run a statement over all relationships of a mapping without junction; how many came or went."""
        ((facts, _),) = relationship_statements(mapping, extracts)
        assert isinstance(facts, RelationshipsFacts)
        lookup = facts.lookup

        def texts(shares: int) -> list[str]:
            if lookup is None or shares < 2:
                return [build(mapping)]
            return [build(mapping, share=own) for own in share_conditions(lookup, shares)]

        return self._execution.run_in_shares(
            title, texts, sessions=self._sessions(facts, extracts), batch_rows=batch_rows
        )

    def _sessions(self, facts: RelationshipsFacts, extracts: ExtractIndex) -> int:
        """How many may share a statement, by the number of rows that drive it."""
        return self._sharing.sessions(sum(e.rows for e in extracts.labelled(facts.driving)))

    def change(self, changes: LinkChanges) -> RelationshipChanges:
        """Remove and make just these, where the graph is known to have what was there before.

        Raises:
            StatementError: a statement was refused, or kept failing.
        """
        kind = changes.tables.mapping.relationship_type
        self._meter.begin(kind, unit="rows", total=None)
        for statement in chain(
            _link_statements(changes.tables, changes.removed, delete_links),
            _link_statements(changes.tables, changes.added, create_links),
        ):
            self._execution.run_batch(statement, lifted(statement))
            self._meter.add(statement.rows)
        return RelationshipChanges(created=changes.added.count, deleted=changes.removed.count)

    def replace(
        self,
        edges: RelationshipPattern,
        mappings: Sequence[RelationshipMapping],
        extracts: ExtractIndex,
    ) -> RelationshipChanges:
        """Remove all and make them anew: junctions, several mappings of one kind, and where there are none yet."""
        deleted = self.delete(edges)
        for position, mapping in enumerate(mappings):
            for statement in _statements((mapping,), extracts):
                if isinstance(statement.facts, RelationshipsFacts):
                    earlier = partial(_statements, mappings[:position], extracts)
                    self._execution.run_relationships(
                        statement,
                        statement.facts,
                        earlier=earlier,
                        sessions=self._sessions(statement.facts, extracts),
                    )
                else:
                    self._execution.run_batch(statement, lifted(statement))
        return RelationshipChanges(created=self.count(edges), deleted=deleted)

    def delete(self, edges: RelationshipPattern) -> int:
        """Remove all relationships of a type between two labels; returns how many."""
        kind, from_label, to_label = edges
        self._meter.begin(f"removing {kind}", unit="relationships", total=None)
        text = counts_and_deletes.delete_relationships(
            relationship_type=kind, from_label=from_label, to_label=to_label
        )
        rows = Batching(self._execution).relationships(kind)
        counted = self._execution.run_in_batches(f"Removing {kind}", text, batch_rows=rows)
        return counted.relationships_deleted


class _WithShare(Protocol):
    """Builds the statement of one session's share."""

    def __call__(self, mapping: RelationshipMapping, *, share: str = ...) -> str: ...


def _link_statements(
    tables: LinkTables, links: RelationshipRows, build: Callable[[LinkTables, bytes], bytes]
) -> Iterator[Statement]:
    mapping = tables.mapping
    with links.open() as file:
        for number, (rows, block) in enumerate(blocks(file), start=1):
            facts = links_facts(mapping, rows=rows)
            yield Statement(number=number, text=build(tables, block), facts=facts)


def _statements(
    mappings: Sequence[RelationshipMapping], extracts: ExtractIndex
) -> Iterator[Statement]:
    numbers = count(1)
    for mapping in mappings:
        for facts, text in relationship_statements(mapping, extracts):
            yield Statement(number=next(numbers), text=text, facts=facts)
