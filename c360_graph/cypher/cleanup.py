"""Statements that remove things in bounded batches, and those that count what is there."""

from __future__ import annotations

from c360_graph.cypher.manifest import LABEL as MANIFEST
from c360_graph.cypher.nodes import PIN
from c360_graph.cypher.quoting import identifier

ROWS_IN_TRANSACTION = 20_000

BATCH_MARK = "_C360Batch"
"""Label of the mark that a batch without key leaves in its own transaction, until the load ends."""


def delete_all_relationships() -> bytes:
    """First, so that no node's removal drags an unbounded number of relationships along."""
    return PIN + deleting("MATCH ()-[x]->()")


def delete_all_nodes() -> bytes:
    """After the relationships; DETACH for what another client added meanwhile.

    The manifest stays: while nodes are left, it says that the graph is broken.
    """
    return PIN + deleting(f"MATCH (x) WHERE NOT x:{identifier(MANIFEST)}", "DETACH DELETE")


def delete_relationships(*, relationship_type: str, from_label: str, to_label: str) -> bytes:
    """All relationships of one type between two labels."""
    return PIN + deleting(
        f"MATCH (:{identifier(from_label)})-[x:{identifier(relationship_type)}]->(:{identifier(to_label)})"
    )


def count_relationships_between(*, relationship_type: str, from_label: str, to_label: str) -> bytes:
    """How many relationships of one type join two labels, as `count`."""
    return (
        PIN
        + (
            f"MATCH (:{identifier(from_label)})-[x:{identifier(relationship_type)}]->(:{identifier(to_label)})"
            " RETURN count(x) AS count"
        ).encode()
    )


def create_batch_mark() -> bytes:
    """Shows, with the parameters of a batch's tag, that its transaction was committed."""
    return PIN + f"CREATE {_mark()}".encode()


def count_batch_marks() -> bytes:
    """Marks with the parameters of a batch's tag, as `count`."""
    return PIN + f"MATCH {_mark()} RETURN count(n) AS count".encode()


def delete_batch_marks() -> bytes:
    """The marks of this load and of any that broke off."""
    return PIN + deleting(f"MATCH (x:{identifier(BATCH_MARK)})")


def count_nodes(label: str) -> bytes:
    """Nodes of a label, from the count store, as `count`."""
    return PIN + f"MATCH (n:{identifier(label)}) RETURN count(n) AS count".encode()


def count_relationships(relationship_type: str) -> bytes:
    """Relationships of a type, from the count store, as `count`."""
    return (
        PIN + f"MATCH ()-[r:{identifier(relationship_type)}]->() RETURN count(r) AS count".encode()
    )


def count_nodes_but_own() -> bytes:
    """Nodes of the whole graph without the loader's own, as `count`."""
    own = " - ".join(f"COUNT {{ (n:{identifier(label)}) }}" for label in (BATCH_MARK, MANIFEST))
    return PIN + f"RETURN COUNT {{ (n) }} - {own} AS count".encode()


def delete_label(label: str) -> bytes:
    """All nodes of a label; their relationships must be gone, or few."""
    return PIN + deleting(f"MATCH (x:{identifier(label)})", "DETACH DELETE")


def delete_relationships_of_label(label: str) -> bytes:
    """All relationships at nodes of a label."""
    return PIN + deleting(f"MATCH (:{identifier(label)})-[r]-() WITH DISTINCT r AS x")


def count_all_relationships() -> bytes:
    """Relationships of the whole graph, as `count`."""
    return PIN + b"MATCH ()-[r]->() RETURN count(r) AS count"


def _mark() -> str:
    return f"(n:{identifier(BATCH_MARK)} {{load: $c360_load, work: $c360_work}})"


def deleting(match: str, delete: str = "DELETE") -> bytes:
    """Delete each `x` of a match, in transactions of bounded size."""
    return (
        f"{match} CALL (x) {{ {delete} x }} IN TRANSACTIONS OF {ROWS_IN_TRANSACTION} ROWS"
    ).encode()
