"""How much memory of the server a change takes, and so how many rows one transaction may have.

Measured on a heap of 512 MB: removing a node of 76 short properties takes 18 to 36 kB of a
transaction, removing one with a text of 50,000 characters 90 to 180 kB.
"""

from __future__ import annotations

from c360_graph.cypher.quoting import identifier, statement

DELETE_BATCH_ROWS = 20_000
"""The most nodes or relationships that are removed in one transaction, however light they are."""
FEW_ROWS, FEW_ROWS_BATCH = 2_000, 200
"""So few nodes or relationships are removed in transactions of 200 without being weighed."""
JOIN_BATCH_ROWS = 10_000
"""Rows of the driving side in one transaction (measured: larger gains nothing, costs memory)."""

NODE_BYTES, RELATIONSHIP_BYTES, PROPERTY_BYTES, CHARACTER_BYTES = 1_000, 1_600, 250, 4

HEAP_SHARE = 16
"""One transaction is to take a sixteenth of the heap: several run side by side, and the sample may be
unlike the rest."""
DEFAULT_BUDGET_BYTES, LEAST_BUDGET_BYTES, MOST_BUDGET_BYTES = 32_000_000, 2_000_000, 64_000_000

SAMPLE_ROWS = 100

_SIZE_OF_VALUE = (
    "CASE WHEN valueType(x[name]) STARTS WITH 'LIST'"
    " THEN reduce(s = 0, e IN x[name] | s + 8 + coalesce(size(toStringOrNull(e)), 0))"
    " ELSE coalesce(size(toStringOrNull(x[name])), 0) END"
)


def budget_of(heap_bytes: int | None) -> int:
    """Bytes that one transaction may take on a server with this heap; None where it is not told.

    >>> budget_of(512 * 1024 * 1024)
    33554432
    """
    if heap_bytes is None:
        return DEFAULT_BUDGET_BYTES
    return min(max(heap_bytes // HEAP_SHARE, LEAST_BUDGET_BYTES), MOST_BUDGET_BYTES)


def batch_rows(row_bytes: float, *, budget: int, most: int) -> int:
    """Rows of this weight that one transaction may have, one at least.

    >>> batch_rows(1_000.0, budget=1_000_000, most=20_000)
    1000
    >>> batch_rows(10.0, budget=1_000_000, most=20_000)
    20000
    """
    return max(1, min(most, int(budget / max(row_bytes, 1.0))))


def join_batch_rows(properties: int) -> int:
    """Rows that one transaction joins where each relationship gets so many properties.

    >>> join_batch_rows(0), join_batch_rows(50)
    (10000, 2269)
    """
    weight = RELATIONSHIP_BYTES + PROPERTY_BYTES * properties
    return batch_rows(weight, budget=DEFAULT_BUDGET_BYTES, most=JOIN_BATCH_ROWS)


def read_heap() -> str:
    """The most heap that the server may take, as `bytes`.

    >>> print(read_heap())
    CALL dbms.queryJmx('java.lang:type=Memory') YIELD attributes RETURN
    attributes.HeapMemoryUsage.value.properties.max AS bytes
    """
    return (
        "CALL dbms.queryJmx('java.lang:type=Memory') YIELD attributes"
        " RETURN attributes.HeapMemoryUsage.value.properties.max AS bytes"
    )


def read_processors() -> str:
    """How many processors the server has, as `processors`.

    >>> print(read_processors())
    CALL dbms.queryJmx('java.lang:type=OperatingSystem') YIELD attributes RETURN
    attributes.AvailableProcessors.value AS processors
    """
    return (
        "CALL dbms.queryJmx('java.lang:type=OperatingSystem') YIELD attributes"
        " RETURN attributes.AvailableProcessors.value AS processors"
    )


def weigh_nodes(label: str) -> str:
    """What nodes of a label weigh on average, as `bytes`: some from `$share` of all of them.

    Drawn from all, as the first ones may be unlike the rest.
    """
    return statement(_weigh(f"(x:{identifier(label)})", NODE_BYTES, drawn=True))


def weigh_nodes_without_label() -> str:
    """The same of any nodes."""
    return statement(_weigh("(x)", NODE_BYTES, drawn=True))


def weigh_relationships(relationship_type: str) -> str:
    """The same of the first relationships of a type, which are alike."""
    return statement(_weigh(f"()-[x:{identifier(relationship_type)}]->()", RELATIONSHIP_BYTES))


def _weigh(pattern: str, base: int, *, drawn: bool = False) -> str:
    chosen = " WHERE rand() < $share" if drawn else ""
    return (
        f"MATCH {pattern}{chosen} WITH x LIMIT {SAMPLE_ROWS}"
        f" RETURN coalesce(avg({base} + reduce(w = 0, name IN keys(x) |"
        f" w + {PROPERTY_BYTES} + {CHARACTER_BYTES} * {_SIZE_OF_VALUE})), {base}) AS bytes"
    )
