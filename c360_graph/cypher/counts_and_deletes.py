"""Statements that remove things in bounded batches, and those that count what is there.

Those that remove have a parameter `$batch_rows`: how many go in one transaction. Those that count do it for many
labels, types or patterns at once: planning a statement costs the server more than counting does.
"""

from __future__ import annotations

from collections.abc import Iterable

from c360_graph.cypher.manifest import LABEL as MANIFEST
from c360_graph.cypher.quoting import identifier, statement
from c360_graph.cypher.target_lock import LABEL as LOCK
from c360_graph.mapping.graph_manifest import RelationshipPattern

BATCH_MARK = "_C360Batch"
"""Label of the mark that a batch without key leaves in its own transaction, until the load ends."""


def delete_all_relationships() -> str:
    """Of whatever type.

    >>> print(delete_all_relationships())
    CYPHER 5 MATCH ()-[x]->() CALL (x) { DELETE x } IN TRANSACTIONS OF $batch_rows ROWS
    """
    return statement(deleting("MATCH ()-[x]->()"))


def delete_relationships_of_type(relationship_type: str) -> str:
    """All of one type, between whatever nodes.

    >>> print(delete_relationships_of_type("WATCHED"))
    CYPHER 5 MATCH ()-[x:`WATCHED`]->() CALL (x) { DELETE x } IN TRANSACTIONS OF $batch_rows
    ROWS
    """
    return statement(deleting(f"MATCH ()-[x:{identifier(relationship_type)}]->()"))


def delete_relationships_of_types(types: Iterable[str]) -> str:
    """All of several types; only for types of few, as none of their relationships is weighed.

    >>> print(delete_relationships_of_types(["WATCHED", "PLAYED"]))
    CYPHER 5 MATCH ()-[x:`WATCHED`|`PLAYED`]->() CALL (x) { DELETE x } IN TRANSACTIONS OF
    $batch_rows ROWS
    """
    return statement(deleting(f"MATCH ()-[x:{any_of(types)}]->()"))


def any_of(names: Iterable[str]) -> str:
    """A pattern's labels or types, of which one is enough.

    >>> any_of(["Account", "Plan"])
    '`Account`|`Plan`'
    """
    return "|".join(map(identifier, names))


def delete_all_nodes() -> str:
    """All but the manifest and the lock; DETACH for what another client added meanwhile.

    >>> print(delete_all_nodes())
    CYPHER 5 MATCH (x) WHERE NOT x:`_C360Load` AND NOT x:`_C360Lock` CALL (x) { DETACH DELETE x
    } IN TRANSACTIONS OF $batch_rows ROWS
    """
    own = " AND ".join(f"NOT x:{identifier(label)}" for label in (MANIFEST, LOCK))
    return statement(deleting(f"MATCH (x) WHERE {own}", "DETACH DELETE"))


def count_nodes_to_delete() -> str:
    """How many nodes `delete_all_nodes` removes, as `count`.

    >>> print(count_nodes_to_delete())
    CYPHER 5 RETURN COUNT { (n) } - COUNT { (n:`_C360Load`) } - COUNT { (n:`_C360Lock`) } AS
    count
    """
    return statement(_counting_nodes_but(MANIFEST, LOCK))


def delete_relationships(*, relationship_type: str, from_label: str, to_label: str) -> str:
    """All relationships of one type between two labels.

    >>> text = delete_relationships(
    ...     relationship_type="WATCHED", from_label="Account", to_label="PlayEvent"
    ... )
    >>> print(text)
    CYPHER 5 MATCH (:`Account`)-[x:`WATCHED`]->(:`PlayEvent`) CALL (x) { DELETE x } IN
    TRANSACTIONS OF $batch_rows ROWS
    """
    return statement(
        deleting(
            f"MATCH (:{identifier(from_label)})-[x:{identifier(relationship_type)}]->(:{identifier(to_label)})"
        )
    )


def create_batch_mark() -> str:
    """Shows, with the parameters of a batch's tag, that its transaction was committed.

    >>> print(create_batch_mark())
    CYPHER 5 CREATE (n:`_C360Batch` {load: $c360_load, work: $c360_work})
    """
    return statement(f"CREATE {_mark()}")


def count_batch_marks() -> str:
    """Marks with the parameters of a batch's tag, as `count`.

    >>> print(count_batch_marks())
    CYPHER 5 MATCH (n:`_C360Batch` {load: $c360_load, work: $c360_work}) RETURN count(n) AS
    count
    """
    return statement(f"MATCH {_mark()} RETURN count(n) AS count")


def delete_batch_marks() -> str:
    """The marks of this load and of any that broke off.

    >>> print(delete_batch_marks())
    CYPHER 5 MATCH (x:`_C360Batch`) CALL (x) { DELETE x } IN TRANSACTIONS OF $batch_rows ROWS
    """
    return statement(deleting(f"MATCH (x:{identifier(BATCH_MARK)})"))


def count_nodes(label: str) -> str:
    """Nodes of a label, from the count store, as `count`.

    >>> print(count_nodes("Account"))
    CYPHER 5 MATCH (n:`Account`) RETURN count(n) AS count
    """
    return statement(f"MATCH (n:{identifier(label)}) RETURN count(n) AS count")


def count_relationships(relationship_type: str) -> str:
    """Relationships of a type, from the count store, as `count`.

    >>> print(count_relationships("WATCHED"))
    CYPHER 5 MATCH ()-[r:`WATCHED`]->() RETURN count(r) AS count
    """
    return statement(f"MATCH ()-[r:{identifier(relationship_type)}]->() RETURN count(r) AS count")


def count_nodes_but_own() -> str:
    """Nodes of the whole graph without the loader's own, as `count`.

    >>> print(count_nodes_but_own())
    CYPHER 5 RETURN COUNT { (n) } - COUNT { (n:`_C360Batch`) } - COUNT { (n:`_C360Load`) } -
    COUNT { (n:`_C360Lock`) } AS count
    """
    return statement(_counting_nodes_but(BATCH_MARK, MANIFEST, LOCK))


def delete_label(label: str) -> str:
    """All nodes of a label; their relationships must be gone, or few.

    >>> print(delete_label("Account"))
    CYPHER 5 MATCH (x:`Account`) CALL (x) { DETACH DELETE x } IN TRANSACTIONS OF $batch_rows
    ROWS
    """
    return statement(deleting(f"MATCH (x:{identifier(label)})", "DETACH DELETE"))


def delete_labels(labels: Iterable[str]) -> str:
    """All nodes of several labels; only for labels of few, as none of their nodes is weighed.

    >>> print(delete_labels(["Account", "Plan"]))
    CYPHER 5 MATCH (x:`Account`|`Plan`) CALL (x) { DETACH DELETE x } IN TRANSACTIONS OF
    $batch_rows ROWS
    """
    return statement(deleting(f"MATCH (x:{any_of(labels)})", "DETACH DELETE"))


def delete_relationships_of_label(label: str) -> tuple[str, str]:
    """All relationships at nodes of a label: those that start there, then those that end there.

    Apart, as a statement for both would have to remember all of them to meet none twice.

    >>> for text in delete_relationships_of_label("Account"):
    ...     print(text)
    CYPHER 5 MATCH (:`Account`)-[x]->() CALL (x) { DELETE x } IN TRANSACTIONS OF $batch_rows
    ROWS
    CYPHER 5 MATCH (:`Account`)<-[x]-() CALL (x) { DELETE x } IN TRANSACTIONS OF $batch_rows
    ROWS
    """
    name = identifier(label)
    return (
        statement(deleting(f"MATCH (:{name})-[x]->()")),
        statement(deleting(f"MATCH (:{name})<-[x]-()")),
    )


def count_all_nodes() -> str:
    """Nodes of the whole graph, as `count`.

    >>> print(count_all_nodes())
    CYPHER 5 MATCH (n) RETURN count(n) AS count
    """
    return statement("MATCH (n) RETURN count(n) AS count")


def count_all_relationships() -> str:
    """Relationships of the whole graph, as `count`.

    >>> print(count_all_relationships())
    CYPHER 5 MATCH ()-[r]->() RETURN count(r) AS count
    """
    return statement("MATCH ()-[r]->() RETURN count(r) AS count")


def _mark() -> str:
    return f"(n:{identifier(BATCH_MARK)} {{load: $c360_load, work: $c360_work}})"


def deleting(match: str, delete: str = "DELETE") -> str:
    """Delete each `x` of a match, in transactions of `$batch_rows`.

    >>> print(deleting("MATCH (x:Account)"))
    MATCH (x:Account) CALL (x) { DELETE x } IN TRANSACTIONS OF $batch_rows ROWS
    """
    return f"{match} CALL (x) {{ {delete} x }} IN TRANSACTIONS OF $batch_rows ROWS"


def _counting_nodes_but(*labels: str) -> str:
    own = " - ".join(f"COUNT {{ (n:{identifier(label)}) }}" for label in labels)
    return f"RETURN COUNT {{ (n) }} - {own} AS count"


MOST_COUNTED = 50
"""Labels, types or patterns of one statement; the server plans longer ones no faster."""


def count_labels(labels: Iterable[str]) -> str:
    """How many nodes each label has, from the count store, as the list `counts`.

    >>> print(count_labels(["Account", "Plan"]))
    CYPHER 5 RETURN [COUNT { (:`Account`) }, COUNT { (:`Plan`) }] AS counts
    """
    return _counts(f"(:{identifier(label)})" for label in labels)


def count_types(types: Iterable[str]) -> str:
    """How many relationships of each type there are, from the count store, as the list `counts`.

    >>> print(count_types(["WATCHED", "PLAYED"]))
    CYPHER 5 RETURN [COUNT { ()-[:`WATCHED`]->() }, COUNT { ()-[:`PLAYED`]->() }] AS counts
    """
    return _counts(f"()-[:{identifier(kind)}]->()" for kind in types)


def count_patterns(patterns: Iterable[RelationshipPattern]) -> str:
    """How many relationships of each type join the two labels, as the list `counts`.

    The count store has no such numbers: the server looks at each relationship that starts at or ends at
    one of the labels.

    >>> print(count_patterns([("WATCHED", "Account", "PlayEvent")]))
    CYPHER 5 RETURN [COUNT { (:`Account`)-[:`WATCHED`]->(:`PlayEvent`) }] AS counts
    """
    return _counts(
        f"(:{identifier(start)})-[:{identifier(kind)}]->(:{identifier(end)})"
        for kind, start, end in patterns
    )


def count_patterns_of_types(types: Iterable[str]) -> str:
    """How many relationships of each type there are between which labels: a row for each combination.

    The server looks at all relationships of the types, and plans one statement.

    >>> print(count_patterns_of_types(["WATCHED", "PLAYED"]))
    CYPHER 5 MATCH (a)-[r:`WATCHED`|`PLAYED`]->(b) RETURN type(r) AS type, labels(a) AS starts,
    labels(b) AS ends, count(*) AS count
    """
    return statement(
        f"MATCH (a)-[r:{any_of(types)}]->(b)"
        " RETURN type(r) AS type, labels(a) AS starts, labels(b) AS ends, count(*) AS count"
    )


def count_pattern_ends(patterns: Iterable[RelationshipPattern]) -> str:
    """Three numbers from the count store for each pattern, one after the other in the list `counts`.

    These are the relationships of the type that start at the first label, those that end at the second,
    and all of the type.

    >>> print(count_pattern_ends([("WATCHED", "Account", "PlayEvent")]))
    CYPHER 5 RETURN [COUNT { (:`Account`)-[:`WATCHED`]->() }, COUNT {
    ()-[:`WATCHED`]->(:`PlayEvent`) }, COUNT { ()-[:`WATCHED`]->() }] AS counts
    """
    return _counts(
        side
        for kind, start, end in patterns
        for side in (
            f"(:{identifier(start)})-[:{identifier(kind)}]->()",
            f"()-[:{identifier(kind)}]->(:{identifier(end)})",
            f"()-[:{identifier(kind)}]->()",
        )
    )


def _counts(patterns: Iterable[str]) -> str:
    counted = ", ".join(f"COUNT {{ {pattern} }}" for pattern in patterns)
    return statement(f"RETURN [{counted}] AS counts")
