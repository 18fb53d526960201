"""The script that ends an import, on the started server: lists, constraints, indexes, and the manifest as whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from c360_graph.cypher import manifest, schema
from c360_graph.cypher.quoting import identifier, statement
from c360_graph.cypher.script_writer import INDEX_WAIT_SECONDS
from c360_graph.import_files.csv_files import LATE_LABEL, LateList
from c360_graph.mapping.model import NodeTable, RelationshipMapping

_BATCH_ROWS = 2_000


def end_script(
    tables: Iterable[NodeTable],
    mappings: Iterable[RelationshipMapping],
    late: Iterable[LateList],
) -> bytes:
    """The script, for cypher-shell. It may run twice."""
    kept, joins = tuple(tables), tuple(mappings)
    return "".join(f"{text};\n" for text in _statements(kept, joins, tuple(late))).encode()


def _statements(
    tables: tuple[NodeTable, ...],
    mappings: tuple[RelationshipMapping, ...],
    late: tuple[LateList, ...],
) -> Iterator[str]:
    yield from map(convert_lists, late)
    if any(lists.label is not None for lists in late):
        yield remove_late_label()
    yield from map(schema.create_constraint, schema.keys(tables))
    yield from map(schema.create_index, schema.indexes(tables, mappings))
    yield schema.await_indexes(INDEX_WAIT_SECONDS)
    yield manifest.end_manifest()


def convert_lists(lists: LateList) -> str:
    """Give nodes or relationships the lists whose text they hold. Must run outside of a transaction."""
    held = f"x.{identifier(lists.held_in)}"
    if lists.label is not None:
        pattern = f"(x:{identifier(LATE_LABEL)}:{identifier(lists.label)})"
    else:
        pattern = f"()-[x:{identifier(lists.relationship_type or '')}]->()"
    return statement(
        f"MATCH {pattern} WHERE {held} IS NOT NULL\n"
        f"CALL (x) {{ SET x.{identifier(lists.column)} = {lists.convert(held)} REMOVE {held} }}"
        f" IN TRANSACTIONS OF {_BATCH_ROWS} ROWS"
    )


def remove_late_label() -> str:
    """Take away the label of nodes with such lists. Must run outside of a transaction.

    >>> print(remove_late_label())
    CYPHER 5 MATCH (x:`_C360Import`)
    CALL (x) { REMOVE x:`_C360Import` } IN TRANSACTIONS OF 2000 ROWS
    """
    label = identifier(LATE_LABEL)
    return statement(
        f"MATCH (x:{label})\nCALL (x) {{ REMOVE x:{label} }} IN TRANSACTIONS OF {_BATCH_ROWS} ROWS"
    )
