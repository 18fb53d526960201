"""The tables `l` and `r` of a source, mapped with relationships between them."""

from __future__ import annotations

from collections.abc import Iterable

from c360_graph.mapping.control_rows import ControlRows, NodeLabelRow, RelationshipRow
from c360_graph.mapping.model import GraphMapping
from c360_graph.mapping.resolve import resolve
from c360_graph_tests.integration.types.pieces import SourceDatabase


def mapped_tables(source: SourceDatabase, relationships: Iterable[RelationshipRow]) -> GraphMapping:
    rows = ControlRows(
        sources=(source.row,),
        labels=tuple(
            NodeLabelRow(mapping_id=number, source_id=1, table_name=name, node_label=name.upper())
            for number, name in enumerate("lr", start=1)
        ),
        relationships=tuple(relationships),
    )
    with source.snapshot() as snapshot:
        return resolve(rows, {1: snapshot.catalog(frozenset({"l", "r"}))})
